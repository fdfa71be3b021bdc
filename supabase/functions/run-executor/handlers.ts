// What the executor can do. Each really does it; whatever else is asked for fails.
import { reachOf } from "./hosts.ts";
import { withoutHeaders } from "./masking.ts";
import { callOdoo } from "./odoo.ts";
import { type Context, type Handler, type Handlers, PermanentError } from "./run.ts";
import { type Answer, expectSuccess, parseUrl, send } from "./send.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Calls a URL of the payload, if its host may be called. */
async function call(address: unknown, init: RequestInit, context: Context): Promise<Answer> {
  const url = parseUrl(address);
  const reach = reachOf(url, context.config.allowedHosts);
  const said = await send(url, init, context.signal, reach);
  const answer = { ...said, text: withoutHeaders(said.text, init.headers) };
  expectSuccess(answer, url.host);
  return answer;
}

function headersOf(value: unknown): Headers {
  try {
    return new Headers((value ?? {}) as Record<string, string>);
  } catch {
    throw new PermanentError("headers has to be an object of texts");
  }
}

/** {url, method, headers, body}: any call; an object as body is sent as JSON. */
const http: Handler = async (job, context) => {
  const { method = "GET", headers, body } = job.payload;
  if (typeof method !== "string" || !METHODS.has(method)) {
    throw new PermanentError(`method has to be one of ${[...METHODS].join(", ")}`);
  }
  const sent = headersOf(headers);
  const init: RequestInit = { method, headers: sent };
  if (body !== undefined && method !== "GET" && method !== "HEAD") {
    init.body = typeof body === "string" ? body : JSON.stringify(body);
    if (!sent.has("content-type") && typeof body !== "string") {
      sent.set("content-type", "application/json");
    }
  }
  const answer = await call(job.payload.url, init, context);
  return { status: answer.status, body: answer.text.slice(0, 4096) };
};

/** {url, body}: a POST of `body` as JSON, with the job's id, by which to see a second delivery. */
const webhook: Handler = async (job, context) => {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": job.id },
    body: JSON.stringify(job.payload.body ?? {}),
  };
  const answer = await call(job.payload.url, init, context);
  return { status: answer.status };
};

/** {text, …}: a message to SLACK_WEBHOOK_URL. */
const notifySlack: Handler = async (job, context) => {
  if (!context.config.slackWebhook) throw new Error("SLACK_WEBHOOK_URL is not set");
  if (typeof job.payload.text !== "string" || !job.payload.text) {
    throw new PermanentError("text is missing");
  }
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(job.payload),
  };
  const answer = await send(parseUrl(context.config.slackWebhook), init, context.signal);
  expectSuccess(answer, "Slack");
  return { status: answer.status };
};

export const HANDLERS: Handlers = {
  http,
  webhook,
  notify_slack: notifySlack,
  sync_odoo: (job, context) => callOdoo(job.payload, context.config.odoo, context.signal),
};

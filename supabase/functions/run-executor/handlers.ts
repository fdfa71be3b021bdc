// What the executor can do. Each really does it; whatever else is asked for fails.
import { callOdoo } from "./odoo.ts";
import { type Context, type Handler, type Handlers, PermanentError } from "./run.ts";
import { expectSuccess, parseUrl, send } from "./send.ts";

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** A URL of the payload, if its host may be called: payloads come from other programs. */
function allowedUrl(text: unknown, context: Context): URL {
  const url = parseUrl(text);
  const hosts = context.config.allowedHosts;
  if (!hosts.includes("*") && !hosts.includes(url.host) && !hosts.includes(url.hostname)) {
    throw new PermanentError(`${url.host} is not in HTTP_ALLOWED_HOSTS`);
  }
  return url;
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
  const url = allowedUrl(job.payload.url, context);
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
  const answer = await send(url, init, context.signal);
  expectSuccess(answer, url.host);
  return { status: answer.status, body: answer.text.slice(0, 4096) };
};

/** {url, body}: a POST of `body` as JSON, with the job's id, by which to see a second delivery. */
const webhook: Handler = async (job, context) => {
  const url = allowedUrl(job.payload.url, context);
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": job.id },
    body: JSON.stringify(job.payload.body ?? {}),
  };
  const answer = await send(url, init, context.signal);
  expectSuccess(answer, url.host);
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

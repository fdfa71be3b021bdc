// The function's three doors: POST / runs jobs, GET /stats and GET /health look.
import { allowed } from "./auth.ts";
import type { Config } from "./config.ts";
import { HANDLERS } from "./handlers.ts";
import { Queue, QueueError } from "./queue.ts";
import { runJobs } from "./run.ts";

export async function answer(request: Request, config: Config): Promise<Response> {
  const response = await route(request, config);
  if (config.corsOrigin && request.headers.get("origin") === config.corsOrigin) {
    response.headers.set("Access-Control-Allow-Origin", config.corsOrigin);
    response.headers.set("Access-Control-Allow-Headers", "authorization, x-cron-secret");
    response.headers.set("Access-Control-Allow-Methods", "GET, POST");
    response.headers.set("Vary", "Origin");
  }
  return response;
}

async function route(request: Request, config: Config): Promise<Response> {
  // Supabase puts the function's name in front.
  const path = new URL(request.url).pathname.replace(/^(\/functions\/v1)?\/run-executor/, "");
  const door = `${request.method} ${path.replace(/\/+$/, "") || "/"}`;
  if (request.method === "OPTIONS" && config.corsOrigin) return new Response(null, { status: 204 });
  const queue = new Queue(config.queueUrl, config.serviceKey);
  if (door === "GET /health") return await health(queue, config);
  if (door !== "POST /" && door !== "GET /stats") return json(404, { error: "no such door" });
  if (!allowed(request, config)) return json(401, { error: "not allowed" });
  if (!config.queueUrl || !config.serviceKey) return json(503, { error: "no queue is set up" });
  try {
    if (door === "GET /stats") return json(200, await queue.stats());
    return json(200, await runJobs(queue, HANDLERS, config));
  } catch (error) {
    if (!(error instanceof QueueError)) throw error;
    return json(503, { error: error.message });
  }
}

/** Tells strangers no more than whether it works. */
async function health(queue: Queue, config: Config): Promise<Response> {
  try {
    if (!config.queueUrl) return json(503, { status: "not set up" });
    await queue.stats();
    return json(200, { status: "ok" });
  } catch {
    return json(503, { status: "no queue" });
  }
}

function json(status: number, body: unknown): Response {
  return Response.json(body, { status, headers: { "Cache-Control": "no-store" } });
}

// The Edge Function: claims jobs of the queue mcp_jobs and runs them. Cron calls it by POST.
import { answer } from "./app.ts";
import { load } from "./config.ts";

const config = load((name) => Deno.env.get(name));
Deno.serve({ port: config.port, hostname: config.hostname }, (request) => answer(request, config));

// Everything that differs between installations, from the environment.

export interface Config {
  queueUrl: string; // PostgREST; empty where none is named
  serviceKey: string;
  cronSecret: string;
  corsOrigin: string; // the one page that may call from a browser; empty: none
  port: number;
  hostname: string;
  concurrency: number; // jobs at a time
  maxJobs: number; // of one call
  seconds: number; // after which a call begins no more jobs
  handlerSeconds: number; // for one job, whatever its own timeout is
  allowedHosts: string[]; // that jobs of the types http and webhook may call; "*": any public one
  slackWebhook: string;
  odoo: { url: string; database: string; login: string; key: string; api: string };
}

type Environment = (name: string) => string | undefined;

function number(env: Environment, name: string, otherwise: number, most: number): number {
  const text = env(name);
  if (!text) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`${name}=${text} is not a number between 1 and ${most}`);
  }
  return value;
}

function choice(env: Environment, name: string, allowed: string[]): string {
  const value = (env(name) ?? "").trim();
  if (!allowed.includes(value)) throw new Error(`${name}=${value} is none of:${allowed.join(" ")}`);
  return value;
}

/** Reads the settings; throws where one cannot be what is meant. */
export function load(env: Environment): Config {
  const cloud = env("SUPABASE_URL");
  const trimmed = (name: string) => (env(name) ?? "").trim();
  return {
    queueUrl: (env("POSTGREST_URL") ?? (cloud ? `${cloud}/rest/v1` : "")).replace(/\/+$/, ""),
    serviceKey: trimmed("SUPABASE_SERVICE_ROLE_KEY"),
    cronSecret: trimmed("CRON_SECRET"),
    corsOrigin: trimmed("EXECUTOR_CORS_ORIGIN"),
    port: number(env, "EXECUTOR_PORT", 8000, 65535),
    hostname: trimmed("EXECUTOR_HOST") || "0.0.0.0",
    concurrency: number(env, "EXECUTOR_CONCURRENCY", 4, 100),
    maxJobs: number(env, "EXECUTOR_MAX_JOBS", 100, 100_000),
    seconds: number(env, "EXECUTOR_SECONDS", 45, 3600),
    handlerSeconds: number(env, "EXECUTOR_HANDLER_SECONDS", 90, 86_400),
    allowedHosts: trimmed("HTTP_ALLOWED_HOSTS").toLowerCase().split(/[\s,]+/).filter(Boolean),
    slackWebhook: trimmed("SLACK_WEBHOOK_URL"),
    odoo: {
      url: trimmed("ODOO_URL").replace(/\/+$/, ""),
      database: trimmed("ODOO_DATABASE"),
      login: trimmed("ODOO_LOGIN"),
      key: trimmed("ODOO_API_KEY"),
      api: choice(env, "ODOO_API", ["", "json2", "jsonrpc"]),
    },
  };
}

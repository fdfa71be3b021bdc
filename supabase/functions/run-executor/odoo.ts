// Calls a method of a model of Odoo: by JSON-2 from version 19 on, by JSON-RPC before.
import type { Config } from "./config.ts";
import { PermanentError } from "./run.ts";
import { expectSuccess, parseUrl, send } from "./send.ts";

type Odoo = Config["odoo"];

interface Call {
  model: string;
  method: string;
  ids: number[];
  kwargs: Record<string, unknown>;
}

// What Odoo says of the data, not of the moment.
const LASTING = /(Validation|User|Access|Missing)Error$|^builtins\.(Type|Value|Key)Error$/;
const FIRST_WITH_JSON2 = 19;

/** {model, method, ids, kwargs}: returns what the method does. */
export async function callOdoo(
  payload: Record<string, unknown>,
  odoo: Odoo,
  signal: AbortSignal,
): Promise<unknown> {
  if (!odoo.url || !odoo.key || !odoo.database) {
    throw new Error("ODOO_URL, ODOO_DATABASE and ODOO_API_KEY have to be set");
  }
  const call = parse(payload);
  const modern = odoo.api ? odoo.api === "json2" : await version(odoo, signal) >= FIRST_WITH_JSON2;
  return await (modern ? byJson2(call, odoo, signal) : byJsonRpc(call, odoo, signal));
}

function parse(payload: Record<string, unknown>): Call {
  const { model, method, ids = [], kwargs = {} } = payload;
  if (typeof model !== "string" || !/^[a-z0-9_.]+$/.test(model)) {
    throw new PermanentError("model is no name of a model");
  }
  if (typeof method !== "string" || !/^[a-z][a-z0-9_]*$/i.test(method)) {
    throw new PermanentError("method is no name of a public method");
  }
  if (!Array.isArray(ids) || !ids.every(Number.isInteger)) {
    throw new PermanentError("ids has to be a list of numbers");
  }
  if (typeof kwargs !== "object" || kwargs === null || Array.isArray(kwargs)) {
    throw new PermanentError("kwargs has to be an object");
  }
  return { model, method, ids, kwargs: kwargs as Record<string, unknown> };
}

async function version(odoo: Odoo, signal: AbortSignal): Promise<number> {
  const found = await rpc(odoo, "common", "version", [], signal) as {
    server_version_info: unknown[];
  };
  return Number(found.server_version_info[0]);
}

async function byJson2(call: Call, odoo: Odoo, signal: AbortSignal): Promise<unknown> {
  const init = {
    method: "POST",
    headers: {
      "Authorization": `bearer ${odoo.key}`,
      "Content-Type": "application/json",
      "X-Odoo-Database": odoo.database,
    },
    body: JSON.stringify({ ...call.kwargs, ...(call.ids.length ? { ids: call.ids } : {}) }),
  };
  const url = parseUrl(`${odoo.url}/json/2/${call.model}/${call.method}`);
  const answer = await send(url, init, signal);
  // A key that is wrong today may be right when the job is tried again.
  if (answer.status === 401) throw new Error("Odoo does not accept ODOO_API_KEY");
  if (!answer.ok) {
    const { name = "", message = "" } = parsed(answer.text);
    const text = `Odoo: ${name} ${message || `status ${answer.status}`}`.slice(0, 500);
    if (LASTING.test(name)) throw new PermanentError(text);
    if (name) throw new Error(text);
  }
  expectSuccess(answer, "Odoo");
  return JSON.parse(answer.text);
}

async function byJsonRpc(call: Call, odoo: Odoo, signal: AbortSignal): Promise<unknown> {
  if (!odoo.login) throw new Error("ODOO_LOGIN has to be set for Odoo before 19");
  const user = await rpc(
    odoo,
    "common",
    "authenticate",
    [odoo.database, odoo.login, odoo.key, {}],
    signal,
  );
  if (!user) throw new Error("Odoo does not accept ODOO_LOGIN and ODOO_API_KEY");
  const { vals_list, ...others } = call.kwargs;
  // Odoo 18 looks at the first positional argument of create to know what to give back.
  const create = call.method === "create" && vals_list !== undefined;
  const args = create ? [vals_list] : call.ids.length ? [call.ids] : [];
  const kwargs = create ? others : call.kwargs;
  const full = [odoo.database, user, odoo.key, call.model, call.method, args, kwargs];
  return await rpc(odoo, "object", "execute_kw", full, signal);
}

async function rpc(
  odoo: Odoo,
  service: string,
  method: string,
  args: unknown[],
  signal: AbortSignal,
): Promise<unknown> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", method: "call", params: { service, method, args } }),
  };
  const answer = await send(parseUrl(`${odoo.url}/jsonrpc`), init, signal);
  expectSuccess(answer, "Odoo");
  const body = JSON.parse(answer.text) as {
    result?: unknown;
    error?: { data?: { name?: string; message?: string } };
  };
  if (body.error) {
    const { name = "", message = "" } = body.error.data ?? {};
    const text = `Odoo: ${name} ${message}`.slice(0, 500);
    throw LASTING.test(name) ? new PermanentError(text) : new Error(text);
  }
  return body.result;
}

function parsed(text: string): { name?: string; message?: string } {
  try {
    return JSON.parse(text) as { name?: string; message?: string };
  } catch {
    return {};
  }
}

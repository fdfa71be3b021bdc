// HTTP to others: no redirects, a limit on what is read, and errors without secrets.
import { publicAddress, type Reach } from "./hosts.ts";
import { PermanentError } from "./run.ts";

const MOST_BYTES = 64 * 1024;
const PASSING = new Set([408, 425, 429]);

export interface Answer {
  status: number;
  ok: boolean;
  text: string;
}

/** Sends; throws if there is no answer. Addresses may hold tokens: only the host is named. */
export async function send(
  url: URL,
  init: RequestInit,
  signal: AbortSignal,
  reach: Reach = "anywhere",
  addressOf: (url: URL) => Promise<string> | string = publicAddress,
): Promise<Answer> {
  const client = reach === "public" ? connectedTo(url, await addressOf(url)) : undefined;
  try {
    const options = { ...init, redirect: "manual", signal, ...(client ? { client } : {}) } as const;
    const response = await fetch(url, options);
    return { status: response.status, ok: response.ok, text: await beginning(response) };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const name = error instanceof Error ? error.name : "error";
    throw new Error(`${url.host} cannot be reached (${name})`);
  } finally {
    client?.close();
  }
}

/**
 * A client that connects to `address` and no other: the name, asked again, might have another by
 * then. Undefined for https, where the certificate proves who answers before anything is sent.
 * Throws where the runtime cannot (Deno before 2.4): the answer might be one from inside.
 */
function connectedTo(url: URL, address: string): Deno.HttpClient | undefined {
  if (url.protocol === "https:") return undefined;
  try {
    const proxy = { transport: "tcp", hostname: address, port: Number(url.port) || 80 } as const;
    return Deno.createHttpClient({ proxy });
  } catch {
    throw new PermanentError(
      `this runtime cannot pin an address: name ${url.host} in HTTP_ALLOWED_HOSTS, or use https`,
    );
  }
}

/** Throws unless the answer is a success; for good where another try would not help. */
export function expectSuccess(answer: Answer, who: string): void {
  if (answer.ok) return;
  const message = `${who} answers with status ${answer.status}: ${answer.text.slice(0, 300)}`;
  if (answer.status >= 500 || PASSING.has(answer.status)) throw new Error(message);
  throw new PermanentError(message);
}

async function beginning(response: Response): Promise<string> {
  if (!response.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  const reader = response.body.getReader();
  while (size < MOST_BYTES) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.length;
    text += decoder.decode(value, { stream: true });
  }
  await reader.cancel();
  return text;
}

export function parseUrl(text: unknown): URL {
  if (typeof text !== "string" || !URL.canParse(text)) {
    throw new PermanentError("url is no address");
  }
  const url = new URL(text);
  if (!["http:", "https:"].includes(url.protocol) || url.username || url.password) {
    throw new PermanentError("url has to begin with http:// or https://, without a password");
  }
  return url;
}

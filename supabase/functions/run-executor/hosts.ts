// Whom jobs of the types http and webhook may call: payloads come from other programs.
import { lookup } from "node:dns/promises";
import { isPublic } from "./addresses.ts";
import { PermanentError } from "./run.ts";

const WEB = [80, 443];

/** How far a URL may reach: a host that is named wherever it is, any other by public addresses. */
export type Reach = "anywhere" | "public";

/** What HTTP_ALLOWED_HOSTS says of `url`; throws where nothing in it allows the call. */
export function reachOf(url: URL, allowed: string[]): Reach {
  const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
  const ports = WEB.includes(port) ? [port, ""] : [port];
  const named = (host: string) => ports.some((p) => allowed.includes(p ? `${host}:${p}` : host));
  if (named(url.hostname)) return "anywhere";
  if (named("*")) return "public";
  throw new PermanentError(`${url.hostname}:${port} is not in HTTP_ALLOWED_HOSTS`);
}

type Resolve = (host: string) => Promise<string[]>;

async function system(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map((found) => found.address);
}

/** An address of the URL's host; throws if even one of them is not public. */
export async function publicAddress(url: URL, resolve: Resolve = system): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  let found: string[];
  try {
    found = await resolve(host);
  } catch {
    throw new Error(`${url.host} cannot be reached (its name has no address)`);
  }
  if (!found[0] || !found.every(isPublic)) {
    throw new PermanentError(
      `${url.host} has an address that is not public, and is not named in HTTP_ALLOWED_HOSTS`,
    );
  }
  return found[0];
}

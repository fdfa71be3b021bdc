// Who may call: cron with its secret, or whoever holds the service-role key.
import { createHash, timingSafeEqual } from "node:crypto";
import type { Config } from "./config.ts";

const SHORTEST = 16; // anything shorter could be guessed, and "" is what an unset secret is

/** Compares in a time that tells nothing of `expected`; one that is not set equals nothing. */
export function same(given: string | null, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const equal = timingSafeEqual(digest(given ?? ""), digest(expected));
  return equal && expected.length >= SHORTEST;
}

export function allowed(request: Request, config: Config): boolean {
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.get("authorization") ?? "");
  const byCron = same(request.headers.get("x-cron-secret"), config.cronSecret);
  const byKey = same(bearer?.[1] ?? null, config.serviceKey);
  return byCron || byKey;
}

// What servers repeat of the headers they got: the owner of a job may read its result, not those.

// What these say is no secret, and may well be part of an answer.
const OPEN = new Set(["accept", "content-type", "idempotency-key", "user-agent"]);
const SHORTEST = 8; // of what is worth hiding; "Bearer" is none

/** `text` with *** for what it repeats of `headers`, as it was sent or escaped. */
export function withoutHeaders(text: string, headers: HeadersInit | undefined): string {
  const secrets = new Set<string>();
  for (const [name, value] of new Headers(headers)) {
    if (OPEN.has(name)) continue;
    const words = [/[\s,;]+/, /[\s,;=]+/].flatMap((between) => value.split(between));
    for (const word of [value, ...words, ...credentials(value)]) {
      if (word.length >= SHORTEST) escaped(word).forEach((form) => secrets.add(form));
    }
  }
  // The longest first: no end of one is left because its beginning is another.
  const longestFirst = [...secrets].sort((one, other) => other.length - one.length);
  return longestFirst.reduce((masked, secret) => masked.replaceAll(secret, "***"), text);
}

/** What `Basic` carries: user:password, and the password; decoded by servers that show either. */
function credentials(value: string): string[] {
  const [, encoded] = value.match(/^\s*basic\s+(\S+)/i) ?? [];
  if (!encoded) return [];
  try {
    const bytes = Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
    const pair = new TextDecoder().decode(bytes);
    return [pair, pair.slice(pair.indexOf(":") + 1)];
  } catch {
    return []; // no base64: nobody decodes it
  }
}

// What programs write as \uXXXX in JSON: nothing, what HTML knows (Go), and a little more (Gson);
// each also with all that is no ASCII (Python, PHP).
const STRANGE = ["<>&", "<>&'=", ""].flatMap((chars) => [
  ...(chars ? [new RegExp(`[${chars}]`, "g")] : []),
  new RegExp(`[${chars}\\u0080-\\uffff]`, "g"),
]);

/** `word` as it may stand in JSON, in an address and in a form. */
function escaped(word: string): string[] {
  const json = JSON.stringify(word).slice(1, -1);
  const slashed = json.replaceAll("/", "\\/");
  const form = new URLSearchParams({ "": word }).toString().slice(1);
  const encoded = [encodeURIComponent(word), encodeURI(word), form];
  return [
    word,
    ...[json, slashed].flatMap((text) => [text, ...STRANGE.map((chars) => coded(text, chars))]),
    ...encoded.flatMap((text) => [text, text.replace(/%../g, (code) => code.toLowerCase())]),
  ];
}

function coded(text: string, chars: RegExp): string {
  return text.replace(chars, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

// deno test: what no test from outside can bring about.
import { isPublic } from "./addresses.ts";
import { load } from "./config.ts";
import { publicAddress, reachOf } from "./hosts.ts";
import { withoutHeaders } from "./masking.ts";
import { type Job } from "./queue.ts";
import { type Handler, PermanentError, runJobs } from "./run.ts";
import { send } from "./send.ts";

const JOB: Job = {
  id: "1",
  source: "test",
  job_type: "deaf",
  payload: {},
  attempts: 1,
  timeout_seconds: 1,
};

function queueOf(jobs: Job[]) {
  const failures: [string, boolean][] = [];
  return {
    failures,
    reap: () => Promise.resolve(0),
    purge: () => Promise.resolve(0),
    claim: () => Promise.resolve(jobs.shift()),
    complete: () => Promise.reject(new Error("nothing is to be completed")),
    fail: (_job: Job, _worker: string, error: string, retry: boolean) =>
      Promise.resolve(void failures.push([error, retry])),
  };
}

Deno.test("a handler that hears no signal and never returns fails at its deadline", async () => {
  let heard = false;
  const deaf: Handler = (_job, { signal }) => {
    signal.addEventListener("abort", () => heard = true);
    return new Promise(() => {});
  };
  const queue = queueOf([{ ...JOB }, { ...JOB }]);
  const config = { ...load(() => undefined), concurrency: 2 };
  const started = performance.now();
  const summary = await runJobs(queue, { deaf }, config);
  if (performance.now() - started > 5000) throw new Error("it took too long");
  if (summary.failed !== 2 || summary.claimed !== 2) throw new Error(JSON.stringify(summary));
  if (!heard || queue.failures[0]?.[0] !== "no end within 0.9 s" || !queue.failures[0][1]) {
    throw new Error(JSON.stringify(queue.failures));
  }
});

Deno.test("a name that every object has is no job type", async () => {
  const queue = queueOf([{ ...JOB, job_type: "toString" }]);
  const summary = await runJobs(queue, {}, load(() => undefined));
  if (summary.failed !== 1 || queue.failures[0]?.[1]) throw new Error(JSON.stringify(summary));
});

Deno.test("settings that cannot be meant are refused", () => {
  for (const value of ["0", "-1", "many", "1.5", "1e9"]) {
    let refused = false;
    try {
      load((name) => name === "EXECUTOR_CONCURRENCY" ? value : undefined);
    } catch {
      refused = true;
    }
    if (!refused) throw new Error(value);
  }
});

Deno.test("an address of no public network is none", () => {
  const inside = "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 " +
    "127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.170 192.168.0.1 198.18.0.1 " +
    "198.19.255.255 224.0.0.1 239.1.1.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 " +
    "::ffff:a9fe:a9fe ::ffff:0:127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 " +
    "2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 " +
    "febf::1 fec0::1 ff02::1";
  for (const address of [...inside.split(" "), "", "localhost", "1.2.3", "999.1.1.1.1"]) {
    if (isPublic(address)) throw new Error(address);
  }
  const outside = "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 " +
    "128.0.0.1 169.253.255.255 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 " +
    "198.17.255.255 198.20.0.0 223.255.255.255 ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2606:4700::1111 " +
    "2001:4860:4860::8888 2a00::1";
  for (const address of outside.split(" ")) {
    if (!isPublic(address)) throw new Error(address);
  }
});

const REACHES: [string, string, string | undefined][] = [
  ["*", "https://shop.example/", "public"],
  ["*", "http://shop.example:443/", "public"],
  ["*", "https://shop.example:8443/", undefined],
  ["*:8443", "https://shop.example:8443/", "public"],
  ["*:8443", "https://shop.example/", undefined],
  ["shop.example", "http://shop.example/", "anywhere"],
  ["shop.example", "https://shop.example/", "anywhere"],
  ["shop.example", "http://shop.example:6379/", undefined],
  ["shop.example:443", "https://shop.example/", "anywhere"],
  ["shop.example:443", "http://shop.example/", undefined],
  ["10.0.0.5:8069", "http://10.0.0.5:8069/", "anywhere"],
  ["* 10.0.0.5:8069", "http://10.0.0.5:8069/", "anywhere"],
  ["* 10.0.0.5:8069", "http://10.0.0.5/", "public"],
  ["[::1]", "http://[0:0::1]/", "anywhere"],
  ["shop.example", "http://evil-shop.example/", undefined],
  ["", "http://shop.example/", undefined],
];

Deno.test("a host without a port is called at 80 and 443 only", () => {
  for (const [hosts, url, expected] of REACHES) {
    const { allowedHosts } = load((name) => name === "HTTP_ALLOWED_HOSTS" ? hosts : undefined);
    let found: string | undefined;
    try {
      found = reachOf(new URL(url), allowedHosts);
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
    }
    if (found !== expected) throw new Error(`${hosts}: ${url}: ${found}`);
  }
});

Deno.test("a name is refused if even one of its addresses is not public", async () => {
  const url = new URL("https://rebinding.example/");
  const first = await publicAddress(url, () => Promise.resolve(["1.1.1.1", "2a00::1"]));
  if (first !== "1.1.1.1") throw new Error(first);
  for (const found of [["1.1.1.1", "127.0.0.1"], ["::1"], []]) {
    let refused = false;
    await publicAddress(url, () => Promise.resolve(found)).catch((error) => {
      refused = error instanceof PermanentError;
    });
    if (!refused) throw new Error(found.join());
  }
});

Deno.test("what was checked is what is connected to, whatever the name says later", async () => {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => new Response(request.headers.get("host")),
  );
  const url = new URL(`http://rebinding.example:${server.addr.port}/`);
  const answer = await send(url, {}, AbortSignal.timeout(5000), "public", () => "127.0.0.1");
  await server.shutdown();
  if (answer.text !== url.host) throw new Error(answer.text);
});

Deno.test("where an address cannot be pinned, http to any host is refused", async () => {
  let called = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    called += 1;
    return new Response("inside");
  });
  const { createHttpClient } = Deno;
  const replace = (value: unknown) => Object.defineProperty(Deno, "createHttpClient", { value });
  replace(() => {
    throw new TypeError("missing field `url`"); // as older ones do
  });
  const url = new URL(`http://127.0.0.1:${server.addr.port}/`);
  let refused: unknown;
  try {
    await send(url, {}, AbortSignal.timeout(5000), "public", () => "127.0.0.1");
  } catch (error) {
    refused = error;
  } finally {
    replace(createHttpClient);
    await server.shutdown();
  }
  if (!(refused instanceof PermanentError) || called) throw new Error(String(refused));
  if (!refused.message.includes("cannot pin an address")) throw refused;
});

const SENT = {
  "Authorization": "Basic " + btoa("odoo:pass/word=&1"),
  "X-Key": 'ab/cd+ef"gh\u00e4==',
  "Content-Type": "application/json",
};

Deno.test("what an answer repeats of the headers is masked however it is escaped", () => {
  const key = SENT["X-Key"];
  const json = JSON.stringify(key).slice(1, -1);
  const encoded = encodeURIComponent(key);
  const forms = [
    key,
    json,
    json.replaceAll("/", "\\/"),
    json.replace("\u00e4", "\\u00e4"),
    json.replace("\u00e4", "\\u00e4").replaceAll("=", "\\u003d"),
    encoded,
    encoded.replace(/%../g, (code) => code.toLowerCase()),
    encodeURI(key),
    SENT.Authorization,
    SENT.Authorization.slice(6),
    "odoo:pass/word=&1",
    "pass/word=&1",
    "pass\\/word=\\u00261",
    "pass\\/word=&1",
    "pass%2Fword%3D%261",
  ];
  for (const form of forms) {
    const masked = withoutHeaders(`<${form}> application/json`, SENT);
    if (masked !== "<***> application/json") throw new Error(`${form}: ${masked}`);
  }
});

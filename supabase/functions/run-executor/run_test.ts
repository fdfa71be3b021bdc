// deno test: what no test from outside can bring about.
import { load } from "./config.ts";
import { type Job } from "./queue.ts";
import { type Handler, runJobs } from "./run.ts";

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

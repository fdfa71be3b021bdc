// One call: reap what got stuck, then claim and run jobs until there are none or time is up.
import type { Config } from "./config.ts";
import { type Job, Queue, QueueError } from "./queue.ts";

/** A failure that would come again, however often the job is tried. */
export class PermanentError extends Error {}

export interface Context {
  config: Config;
  signal: AbortSignal; // ends with the job's deadline
}

export type Handler = (job: Job, context: Context) => Promise<unknown>;
export type Handlers = Readonly<Record<string, Handler>>;

export interface Summary {
  reaped: number;
  purged: number;
  claimed: number;
  completed: number;
  failed: number;
  lost: number; // run, but no longer ours when they were done, or the queue was gone
  error?: string; // why it ended before the queue was empty
}

type Work = Pick<Queue, "claim" | "complete" | "fail" | "reap" | "purge">;

export async function runJobs(queue: Work, handlers: Handlers, config: Config): Promise<Summary> {
  const summary: Summary = {
    reaped: await queue.reap(),
    purged: await queue.purge(),
    claimed: 0,
    completed: 0,
    failed: 0,
    lost: 0,
  };
  const until = Date.now() + config.seconds * 1000;
  const worker = `executor-${crypto.randomUUID()}`;
  const loop = async () => {
    while (Date.now() < until && summary.claimed < config.maxJobs) {
      summary.claimed++; // before asking: the loops beside this one count, too
      const job = await queue.claim(worker).catch((error) => {
        summary.claimed--;
        throw error;
      });
      if (!job) {
        summary.claimed--;
        return;
      }
      summary[await runOne(queue, job, worker, handlers, config)]++;
    }
  };
  // All loops end before this does: a job that is running is not left alone by an error.
  const ended = await Promise.allSettled(Array.from({ length: config.concurrency }, loop));
  const broken = ended.find((end) => end.status === "rejected");
  if (broken && summary.claimed === 0) throw broken.reason;
  if (broken) summary.error = String(broken.reason);
  return summary;
}

type Outcome = "completed" | "failed" | "lost";

async function runOne(
  queue: Work,
  job: Job,
  worker: string,
  handlers: Handlers,
  config: Config,
): Promise<Outcome> {
  let outcome: Outcome;
  const started = performance.now();
  try {
    try {
      const result = await withDeadline(job, handlers, config);
      await queue.complete(job, worker, result);
      outcome = "completed";
    } catch (error) {
      if (error instanceof QueueError && !refusesResult(error)) throw error;
      const retry = !(error instanceof PermanentError || error instanceof QueueError);
      await queue.fail(job, worker, error instanceof Error ? error.message : String(error), retry);
      outcome = "failed";
    }
  } catch (error) {
    // Cancelled, reaped meanwhile, or the queue is gone: then it will be reaped.
    console.error(JSON.stringify({ job: job.id, error: String(error) }));
    outcome = "lost";
  }
  const ms = Math.round(performance.now() - started);
  console.log(
    JSON.stringify({ job: job.id, type: job.job_type, attempt: job.attempts, outcome, ms }),
  );
  return outcome;
}

/** The queue is there and the job ours, but the result cannot be stored. */
function refusesResult(error: QueueError): boolean {
  return error.status === 400 || error.status === 413;
}

async function withDeadline(job: Job, handlers: Handlers, config: Config): Promise<unknown> {
  const handler = Object.hasOwn(handlers, job.job_type) ? handlers[job.job_type] : undefined;
  if (!handler) {
    const known = Object.keys(handlers).join(", ");
    throw new PermanentError(`unknown job type ${job.job_type}; there are: ${known}`);
  }
  // A little sooner than the queue's own deadline, so that the failure is still ours to tell.
  const seconds = Math.min(job.timeout_seconds * 0.9, config.handlerSeconds);
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error(`no end within ${Math.round(seconds * 10) / 10} s`);
      reject(error);
      controller.abort(error);
    }, seconds * 1000);
  });
  try {
    const running = handler(job, { config, signal: controller.signal });
    // Should the deadline win: what it may still throw is nobody's any more.
    running.catch(() => {});
    return await Promise.race([running, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

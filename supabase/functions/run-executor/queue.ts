// The queue behind PostgREST.

export interface Job {
  id: string;
  source: string;
  job_type: string;
  payload: Record<string, unknown>;
  attempts: number;
  timeout_seconds: number;
}

/** An answer of PostgREST that is an error; status 0: there was no answer. */
export class QueueError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
    this.name = "QueueError";
  }
}

const SECONDS = 10;
const TRIES = 3;

export class Queue {
  constructor(private readonly url: string, private readonly key: string) {}

  async claim(worker: string): Promise<Job | undefined> {
    const found = await this.#call<Job[]>("claim_next_job", { p_worker_id: worker });
    return found[0];
  }

  complete(job: Job, worker: string, result: unknown): Promise<unknown> {
    return this.#insist("complete_job", {
      p_job_id: job.id,
      p_worker_id: worker,
      p_attempt: job.attempts,
      p_result: result ?? null,
    });
  }

  fail(job: Job, worker: string, error: string, retry: boolean): Promise<unknown> {
    return this.#insist("fail_job", {
      p_job_id: job.id,
      p_worker_id: worker,
      p_attempt: job.attempts,
      p_error: error.slice(0, 2000),
      p_retry: retry,
    });
  }

  reap(): Promise<number> {
    return this.#call<number>("reap_stuck_jobs", {});
  }

  purge(): Promise<number> {
    return this.#call<number>("purge_old_jobs", {});
  }

  stats(): Promise<unknown> {
    return this.#call("job_stats", {});
  }

  /** The outcome of a job that was run: worth more than one try. */
  async #insist(name: string, args: Record<string, unknown>): Promise<unknown> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#call(name, args);
      } catch (error) {
        const passing = error instanceof QueueError && (error.status === 0 || error.status >= 500);
        if (!passing || attempt === TRIES) throw error;
        await new Promise((wake) => setTimeout(wake, 500 * attempt));
      }
    }
  }

  async #call<T>(name: string, args: Record<string, unknown>): Promise<T> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.url}/rpc/${name}`, {
        method: "POST",
        headers: {
          "Authorization": `Bearer ${this.key}`,
          "apikey": this.key,
          "Content-Profile": "mcp_jobs",
          "Content-Type": "application/json",
        },
        body: JSON.stringify(args, storable),
        redirect: "error",
        signal: AbortSignal.timeout(SECONDS * 1000),
      });
      text = await response.text();
    } catch (error) {
      const late = error instanceof DOMException && error.name === "TimeoutError";
      throw new QueueError(0, late ? "the queue does not answer" : "the queue cannot be reached");
    }
    if (!response.ok) throw new QueueError(response.status, said(text, response.status));
    return JSON.parse(text) as T;
  }
}

/** PostgreSQL takes neither the character 0 nor half a character, where a text was cut. */
function storable(_: string, value: unknown): unknown {
  return typeof value === "string" ? value.replaceAll("\u0000", "").toWellFormed() : value;
}

function said(text: string, status: number): string {
  try {
    const body = JSON.parse(text) as { message?: unknown };
    if (typeof body.message === "string") return body.message;
  } catch {
    // No JSON: some proxy in between.
  }
  return `the queue answers with status ${status}`;
}

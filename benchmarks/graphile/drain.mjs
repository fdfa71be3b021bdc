// Adds COUNT jobs that do nothing, then runs them with WORKERS at a time; prints the seconds.
import { run, makeWorkerUtils } from "graphile-worker";

const [count, workers] = process.argv.slice(2).map(Number);
const connectionString = process.env.BENCH_DATABASE;
const quiet = { info() {}, warn() {}, error: console.error, debug() {} };
const { Logger } = await import("graphile-worker");
const logger = new Logger(() => (level, message) => quiet[level]?.(message));

const utils = await makeWorkerUtils({ connectionString, logger });
await utils.migrate();
await utils.withPgClient((client) =>
  client.query(
    `SELECT graphile_worker.add_jobs(array_agg(row('nothing', '{}'::json, null, now(), 3, null,
       1 + n % 10, null)::graphile_worker.job_spec)) FROM generate_series(1, $1::int) n`,
    [count],
  )
);
await utils.release();

let done = 0;
const started = performance.now();
let finish;
const finished = new Promise((resolve) => finish = resolve);
const runner = await run({
  connectionString,
  logger,
  concurrency: workers,
  maxPoolSize: workers + 2,
  noHandleSignals: true,
  pollInterval: 1000,
  taskList: { nothing: () => void (++done === count && finish(performance.now())) },
});
const end = await finished;
await runner.stop();
console.log(((end - started) / 1000).toFixed(3));

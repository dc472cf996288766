/**
 * The profile of a published table of 8 columns, against one bare SELECT over the same Parquet parts that computes the same
 * figures as far as one SELECT can: all but the histograms, the rows of a sample and the comparison of equal rows. SUMMARIZE
 * of DuckDB, which computes less, is measured too. All have 2 threads and 2 GB.
 *
 *   npx bun bench/profile.ts [--rows 5000000] [--rounds 5] [--duplicates 0]
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { createAgnes } from "../lib/create-agnes.ts";
import { openDatabase, quoteLiteral, type Connection } from "../lib/duckdb/mod.ts";
import files from "../plugins/files/plugin.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "5000000" },
    rounds: { type: "string", default: "5" },
    /** Percent of the rows that equal another one. */
    duplicates: { type: "string", default: "0" },
  },
});
const rows = Number(values.rows);
const different = Math.round(rows * (1 - Number(values.duplicates) / 100));
const numbers = ["id", "amount", "quantity"];
const texts = ["customer", "status"];
const times = ["day", "changed"];
const columns = [...numbers, ...texts, ...times, "paid"];

const directory = await mkdtemp(join(tmpdir(), "agnes-bench-"));
try {
  const exports = join(directory, "exports");
  await mkdir(exports);
  const database = await openDatabase({ limits: { memoryMb: 2048, threads: 2 } });
  const connection = await database.connect();
  await connection.run(
    `COPY (SELECT i AS id, (hash(i) % 1000000) / 7 AS amount, (hash(i + 1) % 1000)::INTEGER AS quantity,
       'customer ' || hash(i + 2) % 50000 AS customer, ['open', 'closed', 'late', 'void'][1 + (hash(i + 3) % 4)::INTEGER] AS status,
       DATE '2020-01-01' + (hash(i + 4) % 2000)::INTEGER AS day,
       TIMESTAMP '2020-01-01' + to_seconds((hash(i + 5) % 100000000)::BIGINT) AS changed, hash(i + 6) % 3 = 0 AS paid
     FROM (SELECT range % ${different} AS i FROM range(${rows}))) TO ${quoteLiteral(join(exports, "orders.parquet"))}`,
  );
  await using agnes = await createAgnes({
    plugins: [files],
    workspace: directory,
    config: { version: 1, sources: { shop: { plugin: "files", options: { path: exports } } } },
  });
  await (await agnes.tables()).register({ source: "shop", sourceTable: "orders", profileAfterSync: false });
  await agnes.sync();
  const parts = quoteLiteral(join(directory, "data/extracts/shop/data/orders/*.parquet"));
  const profile = () => agnes.profile("orders", { compute: "always" });
  const expected = await profile();
  if (expected.row_count !== rows || expected.duplicate_rows !== rows - different)
    throw new Error("the profile is wrong");
  const measured: Record<"bare" | "summarize" | "profile", Time[]> = {
    bare: [],
    summarize: [],
    profile: [],
  };
  for (let round = 0; round < Number(values.rounds); round++) {
    measured.bare.push(await time(() => connection.rows(bareSql(parts))));
    measured.profile.push(await time(profile));
    measured.summarize.push(await time(() => summarize(connection, parts)));
  }
  const ratio = (to: "bare" | "summarize", of: keyof Time) =>
    median(measured.profile.map((one, at) => one[of] / measured[to][at]![of])).toFixed(2);
  for (const [name, all] of Object.entries(measured))
    console.log(
      `${name}: ${median(all.map(({ seconds }) => seconds)).toFixed(2)} s, ${median(all.map(({ processor }) => processor)).toFixed(2)} s of processor time`,
    );
  console.log(
    `profile to the bare SELECT: ${ratio("bare", "seconds")}, processor time ${ratio("bare", "processor")} (at most 1.2)`,
  );
  console.log(
    `profile to SUMMARIZE: ${ratio("summarize", "seconds")}, processor time ${ratio("summarize", "processor")}`,
  );
  await database.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}

/** The time of a measurement, in seconds. Processor time depends less on what else the machine does. */
interface Time {
  readonly seconds: number;
  readonly processor: number;
}

/** The figures of a profile that one SELECT can compute. */
function bareSql(parts: string): string {
  const all = columns.map(
    (name) => `count(${name}), approx_count_distinct(${name}), approx_top_k(${name}, 10)`,
  );
  const ofNumbers = numbers.map(
    (name) =>
      `min(${name}), max(${name}), avg(${name}), stddev_samp(${name}), approx_quantile(${name}, [0.05, 0.25, 0.5, 0.75, 0.95]),
       count_if(${name} = 0), count_if(${name} < 0)`,
  );
  const ofTexts = texts.map((name) => `min(length(${name})), max(length(${name})), avg(length(${name}))`);
  const ofTimes = times.map((name) => `min(${name}), max(${name})`);
  const whole = `count(*) - count(DISTINCT hash(${columns.join(", ")})), count_if(paid)`;
  return `SELECT ${[...all, ...ofNumbers, ...ofTexts, ...ofTimes, whole].join(", ")} FROM read_parquet(${parts})`;
}

function summarize(connection: Connection, parts: string): Promise<unknown> {
  return connection.rows(`SUMMARIZE SELECT * FROM read_parquet(${parts})`);
}

async function time(work: () => Promise<unknown>): Promise<Time> {
  const [start, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - start) / 1000, processor: (user + system) / 1_000_000 };
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!;
}

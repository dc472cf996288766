import { writeSync } from "node:fs";

import { createHost, nodeFiles, silentLog, type Files } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import {
  extractSource,
  readExtract,
  rollbackExtract,
  type ExtractServices,
  type ExtractStats,
} from "../../lib/extract/mod.ts";
import { findTable } from "../../lib/extract/format/extract-state.ts";
import { runStream, Spool, type StreamStats } from "../../lib/push/mod.ts";
import {
  int64,
  table,
  timestamp,
  type Change,
  type PushEvent,
  type ReadOptions,
  type Row,
  type TableInfo,
} from "../../lib/kit/mod.ts";
import { connectorOf, incremental, rowsOf, sourceOf } from "./harness.ts";

/**
 * Two tables that grow by one round in each run, so that incomplete generations can be detected: after round
 * `k` each table has the ids 0 to 10k-1 once, and each round except the first has changed three rows of the previous
 * one.
 */
const columns = { id: int64({ nullable: false }), at: int64(), day: int64() };
const options = { primaryKey: ["id"], cursor: "at" };
const first = table("first_table", columns, options);
const second = table("second_table", columns, options);
const plans = [
  incremental(first),
  incremental(second, { strategy: "partitioned", partitionBy: "day", partitionGranularity: "year" }),
];

function* read(_: TableInfo, { cursor }: ReadOptions): Generator<Row[]> {
  const round = Number(cursor?.value ?? 0) + 1;
  const row = (id: number) => ({ id, at: round, day: 2000 + (id % 3) });
  const rows = Array.from({ length: 10 }, (_one, i) => row((round - 1) * 10 + i));
  yield rows;
  if (round > 1) yield [0, 1, 2].map((i) => row((round - 2) * 10 + i));
}

function servicesOf(files: Files = nodeFiles()): ExtractServices {
  return { host: createHost({ files }), log: silentLog, limits: { memoryMb: 256, threads: 1 } };
}

/** Runs one extraction, which adds one round to both tables. */
export function runRound(directory: string, files?: Files): Promise<ExtractStats> {
  return extractSource(servicesOf(files), {
    directory,
    source: sourceOf(connectorOf(read)),
    tables: plans,
    keep: [...plans, pushed].map(({ name }) => name),
  });
}

/** The table that receives events. */
const pushed = incremental(table("pushed", columns, options), {
  strategy: "partitioned",
  partitionBy: "day",
  partitionGranularity: "year",
});
const receiver = {
  verify: async () => [],
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const { body } of events) yield { kind: "upsert", table: "pushed", row: body as Row };
  },
};

/** The events of a batch. The first row of a batch is the last row of the previous one. */
function eventsOf(batch: number): readonly PushEvent[] {
  const row = (id: number) => ({ id: `${batch}.${id}`, body: { id, at: batch, day: 2000 + (id % 3) } });
  return [0, 1, 2, 3].map((i) => row(batch * 3 + i));
}

/** Number of pushed batches. */
export const BATCHES = 2;

/** Makes batches of events durable and calls `onDurable` after each. */
export async function appendEvents(
  directory: string,
  files?: Files,
  onDurable: (batch: number) => void = () => {},
): Promise<void> {
  const spool = new Spool(servicesOf(files).host, directory);
  for (let batch = 1; batch <= BATCHES; batch++) {
    await spool.append(eventsOf(batch));
    onDurable(batch);
  }
}

/** Merges the spooled events, one batch at a time. */
export function mergeEvents(directory: string, files?: Files): Promise<StreamStats> {
  const source = sourceOf(receiver as never);
  return runStream(servicesOf(files), { directory, source, tables: [pushed], eventsMax: 1 });
}

/** Number of merged batches; throws if one is merged partially. */
export async function mergedBatches(directory: string): Promise<number> {
  if (findTable(await readExtract(nodeFiles(), directory), "pushed") === undefined) return 0;
  const rows = await rowsOf<{ id: bigint; at: bigint }>(directory, 'SELECT id, "at" FROM pushed ORDER BY id');
  const batches = Number(rows.at(-1)!.at);
  const expected = new Map(
    Array.from({ length: batches }, (_, i) =>
      eventsOf(i + 1).map(({ body }) => body as Record<string, number>),
    )
      .flat()
      .map(({ id, at }) => [id!, at!]),
  );
  const seen = rows.map(({ id, at }) => `${id}@${at}`).join();
  const whole = [...expected].map(([id, at]) => `${id}@${at}`).join();
  if (seen !== whole) throw new Error(`the rows are ${seen}, not ${whole}`);
  return batches;
}

/** The events of a list: each has all rows of one parent, and the last of a batch supersedes the others. */
function listsOf(batch: number): readonly PushEvent[] {
  const row = (place: number, at: number) => ({ id: batch * 3 + place, at, day: 2001 });
  return [1, 2, 3].map((round) => ({
    id: `list ${batch}.${round}`,
    orderingKey: "2001",
    body: [0, 1, 2, 3].slice(0, round + 1).map((place) => row(place, batch * 10 + round)),
  }));
}

/** Appends lists, one file for each batch. */
export async function appendLists(directory: string, files?: Files): Promise<void> {
  const spool = new Spool(servicesOf(files).host, directory);
  for (let batch = 1; batch <= BATCHES; batch++) await spool.append(listsOf(batch));
}

/** Merges the spooled lists, one batch at a time. Each list replaces the rows of the previous one. */
export function mergeLists(directory: string, files?: Files): Promise<StreamStats> {
  const replacing = {
    verify: async () => [],
    async *stream(incoming: AsyncIterable<PushEvent>): AsyncIterable<Change> {
      for await (const { body } of incoming) {
        yield {
          kind: "replace",
          table: "pushed",
          parent: { day: 2001 },
          rows: body as unknown as readonly Row[],
        };
      }
    },
  };
  const source = sourceOf(replacing as never);
  return runStream(servicesOf(files), { directory, source, tables: [pushed], eventsMax: 1 });
}

/** Number of merged lists; throws if the rows are not exactly those of the last one. */
export async function mergedLists(directory: string): Promise<number> {
  if (findTable(await readExtract(nodeFiles(), directory), "pushed") === undefined) return 0;
  const rows = await rowsOf<{ id: bigint; at: bigint }>(directory, 'SELECT id, "at" FROM pushed ORDER BY id');
  const batch = Math.floor(Number(rows.at(-1)!.at) / 10);
  const seen = rows.map(({ id, at }) => `${id}@${at}`).join();
  const list = listsOf(batch).at(-1)!.body as readonly Record<"id" | "at", number>[];
  const whole = list.map(({ id, at }) => `${id}@${at}`).join();
  if (seen !== whole) throw new Error(`the rows are ${seen}, not ${whole}`);
  return batch;
}

const events = incremental(table("events", { id: int64({ nullable: false }), at: timestamp() }, options), {
  chunkDays: 5,
  historyDays: 15,
});

/** A first load in three windows of three rows, from a source that yields all rows for each window. */
export function loadByWindows(directory: string, files?: Files): Promise<ExtractStats> {
  const now = () => new Date("2026-03-16T12:00:00Z");
  const { host, ...services } = servicesOf(files);
  const rows = Array.from({ length: 9 }, (_, id) => ({ id, at: new Date(Date.UTC(2026, 2, 2 + id * 1.6)) }));
  const source = sourceOf(connectorOf(() => [rows]));
  return extractSource({ ...services, host: { ...host, now } }, { directory, source, tables: [events] });
}

/** Number of loaded windows; throws if their rows are not exactly those published. */
export async function loadedWindows(directory: string): Promise<number> {
  const loaded = findTable(await readExtract(nodeFiles(), directory), "events");
  if (loaded === undefined) return 0;
  const end = loaded.loadedUntil === undefined ? 9 : { "06": 3, 11: 6 }[loaded.loadedUntil.slice(8, 10)];
  const ids = (await rowsOf<{ id: bigint }>(directory, "SELECT id FROM events ORDER BY id")).map(({ id }) =>
    Number(id),
  );
  if (ids.join() !== Array.from({ length: end ?? 0 }, (_, id) => id).join())
    throw new Error(`the rows are ${ids.join()}, loaded until ${loaded.loadedUntil}`);
  return ids.length / 3;
}

/** The work that a process can be killed in. */
export const works = {
  round: runRound,
  append: (directory: string, files?: Files) =>
    appendEvents(directory, files, (batch) => void writeSync(1, `${batch}\n`)),
  merge: mergeEvents,
  replace: mergeLists,
  load: loadByWindows,
  rollback: (directory: string, files?: Files) => rollbackExtract(servicesOf(files), directory, 2, "ann"),
} as const;

export type WorkName = keyof typeof works;

/** The round of the published generation; throws if it is incomplete. */
export async function wholeRound(directory: string): Promise<number> {
  await using database = await openDatabase({
    path: `${directory}/extract.duckdb`,
    readOnly: true,
    limits: { threads: 1 },
  });
  await using connection = await database.connect();
  const [seen] = await connection.rows<Record<string, bigint | string | null>>(
    `SELECT (SELECT count(*) FROM first_table) AS n1, (SELECT count(DISTINCT id) FROM first_table) AS d1,
       (SELECT sum("at")::BIGINT FROM first_table) AS s1, (SELECT max("at") FROM first_table) AS m1,
       (SELECT count(*) FROM second_table) AS n2, (SELECT count(DISTINCT id) FROM second_table) AS d2,
       (SELECT sum("at")::BIGINT FROM second_table) AS s2, (SELECT max("at") FROM second_table) AS m2,
       (SELECT min(cursor_value) || '|' || max(cursor_value) FROM _cursor WHERE table_name LIKE '%_table') AS c,
       (SELECT string_agg(rows::VARCHAR, '|') FROM _meta WHERE table_name <> 'pushed') AS r`,
  );
  const k = Number(seen!["m1"]);
  const sum = BigInt(
    Array.from({ length: k }, (_, i) => 7 * (i + 1) + 3 * Math.min(i + 2, k)).reduce((a, b) => a + b, 0),
  );
  const n = BigInt(k) * 10n;
  const whole = {
    n1: n,
    d1: n,
    s1: sum,
    m1: BigInt(k),
    n2: n,
    d2: n,
    s2: sum,
    m2: BigInt(k),
    c: `${k}|${k}`,
    r: `${n}|${n}`,
  };
  for (const [name, value] of Object.entries(whole)) {
    if (seen![name] !== value)
      throw new Error(`${name} is ${String(seen![name])}, not ${String(value)}, in round ${k}`);
  }
  return k;
}

/** The published round; 0 if nothing is published. */
export async function publishedRound(directory: string): Promise<number> {
  return (await readExtract(nodeFiles(), directory)) === null ? 0 : wholeRound(directory);
}

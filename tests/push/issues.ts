import { runStream, Spool } from "../../lib/push/mod.ts";
import { type TablePlan } from "../../lib/extract/mod.ts";
import { int64, table, timestamp, utf8, type Change, type PushEvent } from "../../lib/kit/mod.ts";
import { incremental, sourceOf, type Bench } from "../extract/harness.ts";

const info = table(
  "issues",
  { id: utf8({ nullable: false }), created: timestamp(), title: utf8(), updated: int64() },
  { primaryKey: ["id"], cursor: "updated" },
);
export const plan = incremental(info, { strategy: "partitioned", partitionBy: "created" });

/** A connector whose events are changes. */
export const connector = {
  verify: async () => [],
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const event of events) yield event.body as unknown as Change;
  },
};

export const upsert = (
  id: string,
  title: string,
  updated: number,
  created = "2026-01-10T00:00:00Z",
): Change => ({
  kind: "upsert",
  table: "issues",
  row: { id, title, updated, created },
});
export const remove = (id: string, updated?: number): Change => ({
  kind: "delete",
  table: "issues",
  key: { id, ...(updated === undefined ? {} : { updated }) },
});

let nextEvent = 1;
export const event = (change: Change, id = `e${nextEvent++}`): PushEvent => ({ id, body: change as never });

export const merge = (bench: Bench, tables: readonly TablePlan[] = [plan], options = {}) =>
  runStream(bench.services, {
    directory: bench.directory,
    source: sourceOf(connector as never),
    tables,
    ...options,
  });

export async function push(bench: Bench, ...changes: readonly Change[]): Promise<readonly PushEvent[]> {
  const events = changes.map((change) => event(change));
  await new Spool(bench.services.host, bench.directory).append(events);
  return events;
}

export const titles = async (bench: Bench) =>
  (await bench.rows<{ t: string }>("SELECT id || ' ' || title AS t FROM issues ORDER BY t")).map(
    (row) => row.t,
  );

import {
  int64,
  table,
  utf8,
  type AnyConnector,
  type Batch,
  type ReadOptions,
  type ReadResult,
  type Row,
} from "../../lib/kit/mod.ts";
import type { TablePlan } from "../../lib/extract/mod.ts";
import { incremental, openBench, type Bench } from "./harness.ts";

export const DAY_MS = 24 * 60 * 60 * 1000;
const info = table(
  "t",
  { id: int64({ nullable: false }), v: utf8(), at: int64() },
  { primaryKey: ["id"], cursor: "at" },
);
export const plan = incremental(info, { fullKeysMs: 7 * DAY_MS });
const IDS = "SELECT string_agg(id, ' ' ORDER BY id) AS ids FROM t";

export type Batches = Iterable<Batch, ReadResult | void>;

/** A source: its rows with their versions, and what a test replaces. */
export interface FakeSource {
  rows: readonly Row[];
  /** Replaces the batches of a read of the keys. */
  keys?: (options: ReadOptions) => Batches;
  /** Replaces the batches of an incremental read. */
  delta?: (options: ReadOptions) => Batches;
  /** The result of a read that is not replaced. */
  end?: ReadResult;
  /** The kinds of the reads. */
  readonly reads: ("whole" | "keys" | "delta")[];
  readonly keyOptions: ReadOptions[];
}

/** A bench whose clock the test moves, and a source for it. */
export async function openCensus(): Promise<{
  readonly bench: Bench;
  readonly source: FakeSource;
  readonly connector: AnyConnector;
  sync(of?: TablePlan): ReturnType<Bench["run"]>;
  advance(days: number): void;
  ids(): Promise<unknown>;
  [Symbol.asyncDispose](): Promise<void>;
}> {
  let now = new Date("2026-03-01T00:00:00Z");
  const bench = await openBench({ now: () => now });
  const source: FakeSource = { rows: rows(0, 5), reads: [], keyOptions: [] };
  const connector: AnyConnector = {
    async *read(_, options) {
      const { isDelta, cursor, columns } = options;
      const kind = isDelta === true ? "delta" : columns === undefined ? "whole" : "keys";
      source.reads.push(kind);
      if (kind === "keys") source.keyOptions.push(options);
      const own = kind === "keys" ? source.keys : kind === "delta" ? source.delta : undefined;
      if (own !== undefined) return yield* own(options);
      yield source.rows.filter((row) => cursor === undefined || Number(row["at"]) >= Number(cursor.value));
      return source.end ?? {};
    },
  };
  return {
    bench,
    source,
    connector,
    sync: (of = plan) => bench.run([of], connector),
    advance: (days) => (now = new Date(now.getTime() + days * DAY_MS)),
    ids: async () => (await bench.rows<{ ids: unknown }>(IDS))[0]!.ids,
    [Symbol.asyncDispose]: async () => bench[Symbol.asyncDispose](),
  };
}

export const rows = (from: number, to: number, at = 0, v = "old"): Row[] =>
  Array.from({ length: to - from }, (_, i) => ({ id: from + i, v, at: at + from + i }));

/** What a read yields and returns. */
export function* batches(
  all: readonly (Batch | readonly Row[])[],
  end: ReadResult = {},
): Generator<Batch, ReadResult> {
  yield* all as readonly Batch[];
  return end;
}

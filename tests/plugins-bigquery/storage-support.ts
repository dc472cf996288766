import { recordingLog } from "agnes/testing";
import {
  arrow,
  createRowBuilder,
  type Batch,
  type BearerSource,
  type ReadOptions,
  type Row,
} from "agnes/kit";
import * as v from "valibot";

import { bigqueryOptions } from "../../plugins/bigquery/options.ts";
import { settingsOf } from "../../plugins/bigquery/settings.ts";
import { StorageReads } from "../../plugins/bigquery/storage/reads.ts";
import { fakeBigQuery, type FakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { fakeStorage, type FakeStorage, type StorageScript } from "../fakes/bigquery/storage.ts";
import { connect, type Connected } from "./support.ts";

/** The table `shop.t` with one column of ids, from 0. */
const int64Table = (count: number): FakeTable => ({
  dataset: "shop",
  id: "t",
  fields: [{ name: "id", type: "INTEGER" }],
  rows: Array.from({ length: count }, (_, id) => [String(id)]),
});

/** A table that is large enough for a session. */
export const large = (table: FakeTable, numBytes = 20_000_000): FakeTable => ({
  ...table,
  resource: { numBytes: String(numBytes), ...table.resource },
});

/** A connector over both fakes. */
export interface Both extends AsyncDisposable {
  readonly server: FakeBigQuery;
  readonly storage: FakeStorage;
  readonly connected: Connected;
  /** The rows of a read as JSON values, sorted by their text. */
  readonly read: (name: string, options?: Partial<ReadOptions>) => Promise<readonly Row[]>;
}

/** Connects the plugin to both fakes, which have the same tables. */
export async function connectBoth(
  tables: readonly FakeTable[],
  script: Partial<StorageScript> = {},
  options: Readonly<Record<string, unknown>> = {},
): Promise<Both> {
  const server = fakeBigQuery({ tables });
  const storage = await fakeStorage({ tables, script, resultTable: server.resultTable });
  const connected = await connect(server, { storageEndpoint: storage.url, ...options });
  return {
    server,
    storage,
    connected,
    async read(name, readOptions = {}) {
      const info = (await connected.tables()).get(name)!;
      const { signal } = new AbortController();
      const batches = connected.connector.read!(info, { batchRows: 100, signal, ...readOptions });
      const rows: Row[] = [];
      const builder = createRowBuilder(
        info,
        readOptions.columns === undefined ? {} : { columns: readOptions.columns },
      );
      for await (const batch of batches as AsyncIterable<Batch>) {
        const built = batch instanceof arrow.RecordBatch ? [batch] : builder.append(batch as readonly Row[]);
        rows.push(...built.flatMap(rowsOf));
      }
      return sorted([...rows, ...builder.finish().flatMap(rowsOf)]);
    },
    async [Symbol.asyncDispose]() {
      await connected.connector.close!();
      await storage[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The rows of a batch as JSON values. */
export function rowsOf(batch: arrow.RecordBatch): readonly Row[] {
  const text = JSON.stringify(batch.toArray(), (_, value: unknown) => {
    if (typeof value === "bigint") return String(value);
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    // A decimal is JSON text of its digits.
    return typeof value === "string" ? value.replace(/^"(-?\d+)"$/, "$1") : value;
  });
  return JSON.parse(text) as readonly Row[];
}

export const sorted = (rows: readonly Row[]): readonly Row[] =>
  rows.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1));

/** Reads by sessions alone, of a table `shop.t` with the column `id`. */
export interface Reads extends AsyncDisposable {
  readonly storage: FakeStorage;
  readonly log: ReturnType<typeof recordingLog>;
  /** The milliseconds of all pauses. */
  readonly pauses: number[];
  /** All ids, in the order of arrival. Null: a job must read the table. */
  readonly ids: (options?: ReadIdsOptions) => Promise<readonly number[] | null>;
  readonly reads: StorageReads;
}

/** How the ids are read. */
export interface ReadIdsOptions {
  readonly restriction?: string;
  readonly limitBytes?: number;
  readonly signal?: AbortSignal;
  /** Called after each batch. */
  readonly onBatch?: () => void;
}

/** Opens reads of a table with a number of rows. */
export async function openReads(
  rows: number,
  script: Partial<StorageScript> = {},
  options: {
    readonly idleMs?: number;
    readonly bearer?: BearerSource;
    readonly accepts?: (token: string | undefined) => boolean;
  } = {},
): Promise<Reads> {
  const { idleMs = 10_000, bearer, accepts } = options;
  const storage = await fakeStorage({
    tables: [int64Table(rows)],
    script,
    ...(accepts === undefined ? {} : { accepts }),
  });
  const log = recordingLog();
  const pauses: number[] = [];
  const settings = settingsOf(
    v.parse(bigqueryOptions, { project: "shop-1", storageEndpoint: storage.url }),
    {},
  );
  const sleep = async (durationMs: number) => void pauses.push(durationMs);
  const reads = new StorageReads({
    services: { log, sleep },
    settings,
    bearer,
    originOf: () => "a test",
    idleMs,
  });
  return {
    storage,
    log,
    pauses,
    reads,
    async ids(request = {}) {
      const { restriction = "", limitBytes = 1e9, signal = new AbortController().signal, onBatch } = request;
      const opened = await reads.open(
        {
          path: { project: "shop-1", dataset: "shop", table: "t" },
          schema: new arrow.Schema([new arrow.Field("id", new arrow.Int64(), true)]),
          restriction,
          limitBytes,
          streamsMax: 4,
          what: "table shop.t",
        },
        signal,
      );
      if (opened === null) return null;
      const ids: number[] = [];
      const batches = opened.batches();
      for (let next = await batches.next(); ; next = await batches.next()) {
        if (next.done === true) return next.value ? ids : null;
        for (const row of next.value) ids.push(Number(row["id"]));
        onBatch?.();
      }
    },
    async [Symbol.asyncDispose]() {
      await reads.close();
      await storage[Symbol.asyncDispose]();
    },
  };
}

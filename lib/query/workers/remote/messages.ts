import { Buffer } from "node:buffer";

import * as arrow from "apache-arrow";

import { receivedError, sentError, type SentError } from "../../../base/mod.ts";
import type { Filter, FilterValue, QueryArray, QueryEstimate, SourceJob } from "../../../kit/mod.ts";
import type { LiveRequest } from "../../../sources/mod.ts";
import type { RegisteredQuery, SourceTable } from "../../hybrid/types.ts";

/** What a worker asks its parent, which has the connectors. */
export type Ask =
  /** The registered tables that the caller may access. */
  | { readonly kind: "tables" }
  /** The remote table of a source. */
  | { readonly kind: "resolve"; readonly source: string; readonly name: string }
  /** The part of a request that its connector handles. `table` is the number that `resolve` returned. */
  | { readonly kind: "narrow"; readonly table: number; readonly request: SentRequest }
  | { readonly kind: "read"; readonly table: number; readonly request: SentRequest }
  /** Opens the source of an alias. */
  | { readonly kind: "open"; readonly alias: string }
  /** The estimate of an alias of the query. */
  | { readonly kind: "estimate"; readonly alias: string; readonly keys: SentKeys | null }
  /** The rows of an alias that was estimated, with the same keys. */
  | { readonly kind: "run"; readonly alias: string }
  /** Closes the sources of all aliases. */
  | { readonly kind: "close" };

/** The messages of a worker about what it asks. `pull` requests one batch, and `drop` stops the work. */
export type FromAsker =
  | { readonly type: "ask"; readonly id: number; readonly ask: Ask }
  | { readonly type: "pull"; readonly id: number }
  | { readonly type: "drop"; readonly id: number };

/** The messages of the parent. The bytes of a batch are in parts before it. */
export type ToAsker =
  | { readonly type: "reply"; readonly id: number; readonly value: unknown }
  | { readonly type: "batch"; readonly id: number }
  | { readonly type: "done"; readonly id: number }
  | { readonly type: "refused"; readonly id: number; readonly error: SentError }
  | { readonly type: "job"; readonly id: number; readonly job: SourceJob };

/** A remote table, with the number by which the parent knows it. */
export interface SentTable {
  readonly table: number;
  readonly schema: string;
  readonly rows: number | null;
}

/** The fields of a registered table that queries use. */
export type SentRecord = Pick<SourceTable, (typeof RECORD_FIELDS)[number]>;

const RECORD_FIELDS = [
  "id",
  "source",
  "viewName",
  "sourceTable",
  "bucket",
  "columns",
  "whereFilters",
  "sourceQuery",
  "queryMode",
  "namespace",
] as const;

export function sentRecord(record: SourceTable): SentRecord {
  return Object.fromEntries(RECORD_FIELDS.map((field) => [field, record[field]])) as unknown as SentRecord;
}

/** A value that JSON cannot represent is an object with its text. */
type SentValue =
  | string
  | number
  | boolean
  | null
  | { readonly bigint: string }
  | { readonly number: string }
  | { readonly timeMs: number };

function sentValue(value: unknown): SentValue {
  if (value instanceof Date) return { timeMs: value.getTime() };
  if (typeof value === "bigint") return { bigint: String(value) };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  return value as SentValue;
}

function receivedValue(value: SentValue): FilterValue | null {
  if (typeof value !== "object" || value === null) return value;
  if ("timeMs" in value) return new Date(value.timeMs);
  if ("bigint" in value) return BigInt(value.bigint);
  return "number" in value ? Number(value.number) : null;
}

/** A request for rows of a remote table. */
export type SentRequest = Omit<LiveRequest, "filter"> & { readonly filter: readonly SentFilter[] };
type SentFilter = Omit<Filter, "values"> & { readonly values: readonly SentValue[] };

export function sentRequest(request: LiveRequest): SentRequest {
  const filter = request.filter.map((one) => ({ ...one, values: one.values.map(sentValue) }));
  return { ...request, filter };
}

export function receivedRequest(request: SentRequest): LiveRequest {
  const filter = request.filter.map((one) => ({
    ...one,
    values: one.values.map(receivedValue) as Filter["values"],
  }));
  return { ...request, filter };
}

/** The keys of an alias. */
export interface SentKeys {
  /** A schema with one column of their type. */
  readonly schema: string;
  readonly values: readonly SentValue[];
}

export function sentKeys({ type, values }: QueryArray): SentKeys {
  const schema = sentSchema(new arrow.Schema([new arrow.Field("keys", type as arrow.DataType, true)]));
  return { schema, values: values.map(sentValue) };
}

export function receivedKeys({ schema, values }: SentKeys): QueryArray {
  const { type } = receivedSchema(schema).fields[0]!;
  return { type, values: values.map(receivedValue) } as QueryArray;
}

/** An estimate. Its problem is without secrets. */
export type SentEstimate = Omit<QueryEstimate, "schema" | "problem"> & {
  readonly schema?: string;
  readonly problem?: SentError;
};

export function sentEstimate({ schema, problem, ...rest }: QueryEstimate): SentEstimate {
  return {
    ...rest,
    ...(schema !== undefined && { schema: sentSchema(schema) }),
    ...(problem !== undefined && { problem: sentError(problem) }),
  };
}

export function receivedEstimate({ schema, problem, ...rest }: SentEstimate): QueryEstimate {
  return {
    ...rest,
    ...(schema !== undefined && { schema: receivedSchema(schema) }),
    ...(problem !== undefined && { problem: receivedError(problem) }),
  };
}

/** The queries of `register`, with what the parent knows about their plugins. */
export interface SentRegister {
  readonly queries: Readonly<Record<string, RegisteredQuery>>;
  readonly plugins: Readonly<Record<string, SentPlugin>>;
}

/** The plugin of a source, or why it has none. */
export type SentPlugin =
  { readonly name: string; readonly capabilities: readonly string[] } | { readonly error: SentError };

export function sentQueries(queries: SentRegister["queries"]): SentRegister["queries"] {
  return mapLimits(queries, sentValue);
}

export function receivedQueries(queries: SentRegister["queries"]): SentRegister["queries"] {
  return mapLimits(queries, (value) => receivedValue(value as SentValue));
}

function mapLimits(
  queries: SentRegister["queries"],
  map: (value: unknown) => unknown,
): SentRegister["queries"] {
  const mapped = Object.entries(queries).map(([alias, { limits, ...query }]) => {
    if (limits === undefined) return [alias, query] as const;
    const values = Object.entries(limits).map(([name, value]) => [name, map(value)] as const);
    return [alias, { ...query, limits: Object.fromEntries(values) as typeof limits }] as const;
  });
  return Object.fromEntries(mapped);
}

/** Returns an Arrow stream without rows, in base64. */
export function sentSchema(schema: arrow.Schema): string {
  return Buffer.from(arrow.tableToIPC(new arrow.Table(schema), "stream")).toString("base64");
}

export function receivedSchema(schema: string): arrow.Schema {
  return arrow.tableFromIPC(Buffer.from(schema, "base64")).schema;
}

/** Returns an Arrow stream of one batch. */
export function sentBatch(batch: arrow.RecordBatch): Uint8Array {
  return arrow.tableToIPC(new arrow.Table(batch.schema, [batch]), "stream");
}

export function receivedBatches(bytes: Buffer): readonly arrow.RecordBatch[] {
  // Arrow reads values of 8 bytes in place, which must be aligned.
  return arrow.tableFromIPC(Uint8Array.from(bytes)).batches;
}

import type { TableClient } from "@azure/data-tables";
import {
  AgnesError,
  binary,
  bool,
  float64,
  int64,
  table,
  timestamp,
  utf8,
  type Column,
  type Health,
  type ReadOptions,
  type Row,
  type TableInfo,
} from "agnes/kit";

import { connectService, connectTable, type AzureTablesOptions } from "./storage.ts";

/** The connection to the account, and the sample size of discovery. */
export interface AzureSourceOptions extends AzureTablesOptions {
  readonly sampleRows: number;
}

/** A property of an entity with its type, as the client returns it without conversion. */
interface Typed {
  readonly type: string;
  readonly value: unknown;
}

const SYSTEM = new Set(["partitionKey", "rowKey", "timestamp", "etag", "odata.metadata"]);

const columnOf: Readonly<Record<string, () => Column>> = {
  Boolean: bool,
  Int32: int64,
  Int64: int64,
  Double: float64,
  DateTime: timestamp,
  Binary: binary,
};

/** The tables of a storage account as a source. */
export function connectTables(options: AzureSourceOptions) {
  return {
    async health({ signal }: { readonly signal: AbortSignal }): Promise<Health> {
      const service = await connectService(options);
      for await (const _page of service.listTables({ abortSignal: signal }).byPage({ maxPageSize: 1 })) break;
      return { ok: true, message: "the account is reachable" };
    },
    async *discover({ signal }: { readonly signal: AbortSignal }): AsyncIterable<TableInfo> {
      const service = await connectService(options);
      for await (const { name } of service.listTables({ abortSignal: signal })) {
        if (name !== undefined)
          yield describeTable(await connectTable(options, name), options.sampleRows, signal);
      }
    },
    async *read(info: TableInfo, read: ReadOptions): AsyncIterable<readonly Row[]> {
      const client = await connectTable(options, info.name);
      const { cursor } = read;
      const filter =
        cursor?.column === "Timestamp"
          ? `Timestamp ${cursor.inclusive ? "ge" : "gt"} datetime'${iso(cursor.value)}'`
          : "";
      const listed = client.listEntities<Record<string, unknown>>({
        abortSignal: read.signal,
        disableTypeConversion: true,
        ...(filter === "" ? {} : { queryOptions: { filter } }),
      });
      let rows: Row[] = [];
      for await (const entity of listed) {
        rows.push(toRow(info, entity));
        if (rows.length < read.batchRows) continue;
        yield rows;
        rows = [];
      }
      if (rows.length > 0) yield rows;
    },
  };
}

/** Derives the columns from the first entities. A property with several types becomes text. */
async function describeTable(
  client: TableClient,
  sampleRows: number,
  signal: AbortSignal,
): Promise<TableInfo> {
  const types = new Map<string, Set<string>>();
  let seen = 0;
  const pages = client
    .listEntities<Record<string, unknown>>({ abortSignal: signal, disableTypeConversion: true })
    .byPage({ maxPageSize: Math.min(sampleRows, 1000) });
  for await (const page of pages) {
    for (const entity of page) {
      for (const [name, value] of Object.entries(entity)) {
        if (!SYSTEM.has(name)) types.set(name, (types.get(name) ?? new Set()).add(typeOf(value)));
      }
    }
    seen += page.length;
    if (seen >= sampleRows) break;
  }
  const columns: Record<string, Column> = {
    PartitionKey: utf8({ nullable: false }),
    RowKey: utf8({ nullable: false }),
    Timestamp: timestamp({ nullable: false }),
  };
  for (const [name, found] of [...types].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [kind, ...others] = new Set([...found].map((type) => columnOf[type] ?? utf8));
    columns[name] = kind !== undefined && others.length === 0 ? kind() : utf8();
  }
  return table(client.tableName, columns, {
    primaryKey: ["PartitionKey", "RowKey"],
    cursor: "Timestamp",
    identity: addressOf(client.url),
  });
}

function toRow(info: TableInfo, entity: Readonly<Record<string, unknown>>): Row {
  const row: Record<string, unknown> = {
    PartitionKey: valueOf(entity["partitionKey"]),
    RowKey: valueOf(entity["rowKey"]),
    Timestamp: valueOf(entity["timestamp"]),
  };
  for (const { name, type } of info.schema.fields) {
    if (name in row) continue;
    const value = entity[name];
    if (value === undefined || value === null) row[name] = null;
    else if (typeOf(value) === "Binary") row[name] = Buffer.from(String(valueOf(value)), "base64");
    else row[name] = String(type) === "Utf8" ? String(valueOf(value)) : valueOf(value);
  }
  return row;
}

function typeOf(value: unknown): string {
  if (isTyped(value)) return value.type;
  if (typeof value === "boolean") return "Boolean";
  return typeof value === "number" ? (Number.isInteger(value) ? "Int32" : "Double") : "String";
}

function valueOf(value: unknown): unknown {
  if (!isTyped(value)) return value;
  if (value.type === "Double" || value.type === "Int32") return Number(value.value);
  return value.type === "Boolean" ? String(value.value) === "true" : value.value;
}

function isTyped(value: unknown): value is Typed {
  return typeof value === "object" && value !== null && "type" in value && "value" in value;
}

function iso(value: string): string {
  const time = new Date(/[zZ]|[+-]\d\d:?\d\d$/.test(value) ? value : `${value.replace(" ", "T")}Z`);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw new AgnesError("invalid_input", { what: "the cursor value", reason: `${value} is not a time` });
}

/** The address of an account, without what signs in to it. */
function addressOf(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

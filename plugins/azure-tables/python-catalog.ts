import { isDeepStrictEqual } from "node:util";

import type { Catalog, JsonRecord, JsonValue } from "agnes/catalog";
import { AgnesError } from "agnes/kit";

import { entitiesOf, type AzureTablesOptions } from "./storage.ts";

/** The content of two tables of the Python package az-table-catalog. */
export interface PythonCatalog {
  /** The records that its queries return, ordered by its row keys. Dates, GUIDs and bytes are strings. */
  readonly records: readonly JsonRecord[];
  /**
   * States that exist only in its log: changes that the package dropped because the index values were the same, and
   * changes that a writer did not finish.
   */
  readonly onlyInLog: readonly JsonRecord[];
  /** Records that its log contains more than once. The package logs a deletion this way but never deletes. */
  readonly repeatedInLog: readonly JsonRecord[];
}

/** The result of a conversion. */
export interface ConvertedCatalog extends Omit<PythonCatalog, "records"> {
  /** Number of records copied to the catalog. */
  readonly records: number;
}

/**
 * Reads the tables of a catalog of the Python package az-table-catalog, without changing them.
 *
 * @param options `table`: its index table; `logTable`: its write-ahead log, default: the name followed by `Wal`
 * @throws `invalid_input` if the tables contain no such catalog, `catalog_storage_refused`, `catalog_unavailable`
 * @example
 * ```ts
 * import { readPythonCatalog } from "agnes/plugins/azure-tables";
 * const connectionString = process.env["AZURE_STORAGE_CONNECTION_STRING"]!;
 * const { records } = await readPythonCatalog({ connectionString, table: "Notes", logTable: "NotesLog" });
 * ```
 */
export async function readPythonCatalog(options: AzureTablesOptions): Promise<PythonCatalog> {
  const { table, log } = await entitiesOf(options);
  const indexed = new Map<string, { readonly key: string; readonly record: JsonRecord }>();
  for await (const entity of table()) {
    const key = String(entity["RowKey"]);
    if (!ROW_KEY.test(key) || !PARTITION_KEY.test(String(entity["PartitionKey"]))) continue;
    const record = recordOf(entity);
    indexed.set(JSON.stringify([key, record]), { key, record });
  }
  const logged: JsonRecord[] = [];
  for await (const entity of log()) if (entity["PartitionKey"] === "wal") logged.push(recordOf(entity));
  if (indexed.size + logged.length === 0) {
    const reason = "they contain no catalog of the Python package az-table-catalog";
    throw new AgnesError("invalid_input", { what: `the tables ${options.table} and its log`, reason });
  }
  const records = [...indexed.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const known = new Set(records.map(({ record }) => JSON.stringify(record)));
  const counts = new Map<string, number>();
  for (const record of logged) {
    const text = JSON.stringify(record);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const parsed = (texts: readonly string[]) => texts.map((text) => JSON.parse(text) as JsonRecord);
  return {
    records: records.map(({ record }) => record),
    onlyInLog: parsed([...counts.keys()].filter((text) => !known.has(text))),
    repeatedInLog: parsed([...counts].filter(([, count]) => count > 1).map(([text]) => text)),
  };
}

/**
 * Copies the records of a catalog of the Python package az-table-catalog into an Agnes catalog. Its tables are not
 * changed. Idempotent.
 *
 * The package keeps several records with the same row key if their index values differ. Agnes keeps one record per row
 * key, so the row key must distinguish them: add the index keys to it.
 *
 * @param options `rowKey`: the row key of the catalog; integers in it become strings
 * @throws `invalid_input` if two records have the same row key, before anything is written
 * @example
 * ```ts
 * import { openCatalog, type JsonRecord } from "agnes/catalog";
 * import { azureTablesStorage, convertPythonCatalog } from "agnes/plugins/azure-tables";
 * const connectionString = process.env["AZURE_STORAGE_CONNECTION_STRING"]!;
 * const rowKey = ["id", "author"];
 * const storage = azureTablesStorage({ connectionString, table: "AgnesNotes" });
 * const notes = await openCatalog<JsonRecord>({ storage, name: "notes", rowKey, indexKeys: ["author"] });
 * const { onlyInLog } = await convertPythonCatalog(notes, { connectionString, table: "Notes", rowKey });
 * ```
 */
export async function convertPythonCatalog(
  catalog: Pick<Catalog<JsonRecord>, "insertMany">,
  options: AzureTablesOptions & { readonly rowKey: string | readonly string[] },
): Promise<ConvertedCatalog> {
  const { rowKey, ...tables } = options;
  const { records, ...rest } = await readPythonCatalog(tables);
  const fields = typeof rowKey === "string" ? [rowKey] : rowKey;
  const byKey = new Map<string, JsonRecord>();
  for (const record of records.map((each) => withTextKey(each, fields))) {
    const key = JSON.stringify(fields.map((field) => record[field]));
    const other = byKey.get(key);
    if (other !== undefined && !isDeepStrictEqual(other, record)) {
      const reason = `two records have it; add the index keys to the row key ${fields.join(" + ")}`;
      throw new AgnesError("invalid_input", { what: `the row key ${key}`, reason });
    }
    byKey.set(key, record);
  }
  for (const batch of batches([...byKey.values()])) await catalog.insertMany(batch);
  return { records: byKey.size, ...rest };
}

/** The RowKey of an index row: the row key, a colon and eight digits of a hash. */
const ROW_KEY = /:[0-9a-f]{8}$/s;
/** The PartitionKey of an index row: the length of the field name, the name and the value. */
const PARTITION_KEY = /^\d+_/;

type Entity = Readonly<Record<string, unknown>>;

const SYSTEM = new Set(["PartitionKey", "RowKey", "Timestamp"]);
const TYPE = "@odata.type";
/** Maximum size of one log entry; storages in cloud tables accept less than half a megabyte. */
const BATCH_BYTES = 200_000;

function recordOf(entity: Entity): JsonRecord {
  const fields: [string, JsonValue][] = [];
  for (const [name, value] of Object.entries(entity)) {
    if (SYSTEM.has(name) || name.startsWith("odata.") || name.endsWith(TYPE)) continue;
    // The package stores its operation next to the fields of the record.
    if (name === "operation" && (value === "insert" || value === "delete")) continue;
    fields.push([name, valueOf(value as JsonValue, entity[`${name}${TYPE}`])]);
  }
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** 64-bit integers arrive as text and become numbers if JavaScript represents them exactly. */
function valueOf(value: JsonValue, type: unknown): JsonValue {
  if (type !== "Edm.Int64") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function withTextKey(record: JsonRecord, fields: readonly string[]): JsonRecord {
  const whole = fields.filter((field) => Number.isInteger(record[field]));
  return { ...record, ...Object.fromEntries(whole.map((field) => [field, JSON.stringify(record[field])])) };
}

function* batches(records: readonly JsonRecord[]): Generator<readonly JsonRecord[]> {
  let batch: JsonRecord[] = [];
  let sizeBytes = 0;
  for (const record of records) {
    const ownBytes = Buffer.byteLength(JSON.stringify(record));
    if (batch.length > 0 && sizeBytes + ownBytes > BATCH_BYTES) {
      yield batch;
      [batch, sizeBytes] = [[], 0];
    }
    batch.push(record);
    sizeBytes += ownBytes;
  }
  if (batch.length > 0) yield batch;
}

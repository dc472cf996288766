import { AgnesError, isAgnesError } from "../../base/mod.ts";
import type { DocumentTable, ImportFailure, RegistryDocument } from "../import.ts";
import { isPlainObject, kindOf, tableFieldNames } from "../record/mod.ts";
import { checkedEntry, documentTable } from "./document.ts";

type Fields = Readonly<Record<string, unknown>>;

/** How a document is read, whatever wrote it. */
export interface ParseOptions {
  /** What to call the file in an error. */
  readonly path: string;
  /** The source of the tables of a file that does not name any, for example one of an earlier system. */
  readonly source?: string;
  /** Takes a file that was changed by hand after it was generated. */
  readonly edited?: boolean;
  /** Lists entries that cannot be taken in `invalid` instead of failing. Default `false`. */
  readonly skipInvalid?: boolean;
}

/** The keys of a table in the files of the earlier system, in the order in which it writes them. */
export const upstreamKeys = [
  "id",
  "name",
  "description",
  "primary_key",
  "sync_strategy",
  "incremental_window_days",
  "partition_by",
  "partition_granularity",
  "max_history_days",
  "initial_load_chunk_days",
  "foreign_keys",
  "where_filters",
  "folder",
  "dataset",
] as const;

/** What the earlier system takes for granted where it says nothing. */
const upstreamDefaults: Fields = { initial_load_chunk_days: 30 };

/** Reads the entries of a document; what cannot be taken fails, or is listed. */
export function readEntries(
  entries: readonly unknown[],
  { path, skipInvalid = false }: ParseOptions,
  read: (entry: Fields, what: string) => DocumentTable,
): Required<Pick<RegistryDocument, "tables" | "places" | "invalid">> {
  const tables: DocumentTable[] = [];
  const places: string[] = [];
  const invalid: ImportFailure[] = [];
  for (const [index, entry] of entries.entries()) {
    const place = `tables[${index}]`;
    const what = `${path}: ${place}`;
    try {
      tables.push(read(checkedEntry(entry, what), what));
      places.push(place);
    } catch (error) {
      if (!skipInvalid || !isAgnesError(error)) throw error;
      invalid.push({ table: place, code: error.code, message: error.message });
    }
  }
  return { tables, places, invalid };
}

/** An entry of the earlier system, where the id is the source's own name and the name need not be unique. */
export function upstreamTable(entry: Fields, what: string, { source }: ParseOptions): DocumentTable {
  if (source === undefined) {
    const reason =
      "the file does not say which source of agnes.yaml its tables come from; name it with --source";
    throw new AgnesError("table_field_missing", { what, field: "source", reason });
  }
  const { id, name, ...fields } = entry;
  for (const [field, value] of [
    ["id", id],
    ["name", name],
  ] as const) {
    if (typeof value === "string" && value !== "") continue;
    throw new AgnesError("table_field_missing", { what, field, reason: "it identifies the table" });
  }
  const table = documentTable({ source_table: id, ...givenFields(withoutEmpty(fields), what), source }, what);
  return { ...table, earlier_name: name as string };
}

/** Keys as a list, or as text with commas. */
export function keyOf(value: unknown): unknown {
  if (value === null) return [];
  if (typeof value !== "string") return value;
  return value
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
}

/** The fields of an entry without what that system takes for granted anyway. */
function givenFields(fields: Fields, what: string): Fields {
  const metadata = fields["source_metadata"];
  if (metadata !== undefined && !isPlainObject(metadata)) {
    const reason = `should be an object of fields, but is ${kindOf(metadata)}`;
    throw new AgnesError("table_field_invalid", { what, field: "source_metadata", reason });
  }
  const given = Object.entries(fields).filter(([key, value]) => value !== upstreamDefaults[key]);
  return {
    ...Object.fromEntries(given),
    ...(fields["primary_key"] === undefined ? {} : { primary_key: keyOf(fields["primary_key"]) }),
  };
}

/** The earlier system writes `null`, 0, an empty text, list or object where nothing was said. */
function withoutEmpty(fields: Fields): Fields {
  const known: readonly string[] = [...upstreamKeys, ...tableFieldNames, "registered_by", "registered_at"];
  const isEmpty = (key: string, value: unknown) =>
    value === null ||
    value === "" ||
    (value === 0 && key.endsWith("_days")) ||
    (typeof value === "object" && Object.keys(value).length === 0);
  return Object.fromEntries(
    Object.entries(fields).filter(([key, value]) => !known.includes(key) || !isEmpty(key, value)),
  );
}

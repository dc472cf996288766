import * as v from "valibot";

import { isExposedName } from "../../base/mod.ts";
import type { JsonRecord } from "../../catalog/mod.ts";
import { filterProblem } from "../filters.ts";
import { FULL_KEYS_RULE, fullKeysMs } from "../full-keys.ts";
import { scheduleProblem } from "../schedule.ts";
import { invalidValues, partitionGranularity, queryMode, schemaPolicy, syncStrategy } from "./choices.ts";
import { columnMetadataSchema } from "./column-metadata.ts";
import { isJson, isPlainObject } from "./json.ts";
import { isVendorName } from "./names.ts";

const EXPOSED_RULE =
  "should be letters, digits and underscores, starting with a letter, at most 64 characters";
const VENDOR_RULE =
  "should be letters, digits, underscores, dots, dashes and spaces inside, at most 128 characters";
const COLUMN_RULE = "should be a column name: 1 to 255 printable characters";
const TEXT_RULE = "should be text without control characters";
const METADATA_LENGTH = 100_000;
const UNPRINTABLE = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u;
const UNPRINTABLE_TEXT = /[^\P{Cc}\n\r\t]|\p{Cs}/u;

// Names that start with an underscore (`_meta`, `_parts` …) are reserved for Agnes in each extract.
const exposedName = v.pipe(
  v.string(),
  v.check((text) => isExposedName(text) && !text.startsWith("_"), EXPOSED_RULE),
);
const vendorName = v.pipe(v.string(), v.check(isVendorName, VENDOR_RULE));
const columnName = v.pipe(
  v.string(),
  v.check((text) => text.length > 0 && text.length <= 255 && !UNPRINTABLE.test(text), COLUMN_RULE),
);
const columnNames = v.pipe(
  v.array(columnName),
  v.maxLength(2000, "should have at most 2000 columns"),
  v.check((names) => new Set(names).size === names.length, "names a column twice"),
);
const folderName = v.pipe(
  v.string(),
  v.maxLength(255, "should have at most 255 characters"),
  v.regex(
    /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/,
    "should be a relative path of letters, digits, underscores, dots and dashes",
  ),
);
/** A bucket and the folder of its tables. */
export const bucketFolder = v.object({ bucket: vendorName, folder: v.nullable(folderName) });

const days = v.pipe(
  v.number(),
  v.integer("should be a whole number of days"),
  v.minValue(1, "should be at least 1"),
  v.maxValue(36_500, "should be at most 36500"),
);

const percent = v.pipe(
  v.number(),
  v.finite("should be a finite number"),
  v.minValue(0, "should be at least 0"),
  v.maxValue(100, "should be at most 100"),
);

const text = (maxLength: number) =>
  v.pipe(
    v.string(),
    v.maxLength(maxLength, `should have at most ${maxLength} characters`),
    v.check((value) => !UNPRINTABLE_TEXT.test(value), TEXT_RULE),
  );
const texts = (maxLength: number) =>
  v.pipe(v.array(text(2000)), v.maxLength(maxLength, `should have at most ${maxLength} entries`));

const whereFilter = v.strictObject({
  column: columnName,
  operator: v.optional(v.picklist(["eq", "ne", "gt", "ge", "lt", "le"]), "eq"),
  values: v.pipe(
    v.array(v.union([text(1000), v.pipe(v.number(), v.finite("should be a finite number")), v.boolean()])),
    v.nonEmpty("should have at least one value"),
    v.maxLength(1000, "should have at most 1000 values"),
    v.rawCheck(({ dataset, addIssue }) => {
      const problem = dataset.typed ? filterProblem(dataset.value) : undefined;
      if (problem !== undefined) addIssue({ message: problem });
    }),
  ),
});

const foreignKey = v.strictObject({
  column: columnName,
  references: text(400),
  description: v.optional(text(2000)),
});

const documentation = v.strictObject({
  sample_questions: optional(texts(50), "Questions the table answers"),
  things_to_know: optional(texts(50), "Notes for authors of SQL"),
  pairs_well_with: optional(
    v.pipe(v.array(exposedName), v.maxLength(50, "should have at most 50 entries")),
    "View names of tables it is often joined with",
  ),
  grain: optional(text(2000), "What one row represents"),
  platforms: optional(texts(8), "The systems the data comes from, at most 8"),
  partition_col: optional(columnName, "The best column to filter by"),
  history: optional(text(2000), "The period covered, and known gaps"),
  gotchas: optional(
    v.pipe(
      v.array(v.strictObject({ key: text(200), body: text(4000) })),
      v.maxLength(8, "should have at most 8 entries"),
    ),
    "Pitfalls, at most 8, each with a key and a body",
  ),
});

/** Any JSON, so that metadata of another system is exported unchanged. */
const sourceMetadata = v.pipe(
  v.custom<JsonRecord>(isPlainObject, "an object of fields"),
  v.check((value) => isJson(value), "should contain only JSON values"),
  v.check(
    (value) => !isJson(value) || JSON.stringify(value).length <= METADATA_LENGTH,
    `should have at most ${METADATA_LENGTH} characters as JSON`,
  ),
);

/** Why a value is invalid as `source_metadata`; `undefined` if it is valid. */
export function sourceMetadataProblem(value: unknown): string | undefined {
  if (!isPlainObject(value)) return "should be an object of fields";
  return v.safeParse(sourceMetadata, value).issues?.[0].message;
}

/** The parts of the documentation, in display order. */
export const documentationKeys: readonly string[] = Object.keys(documentation.entries);

/**
 * The schema of a change in its stored form, for register, update and import.
 *
 * A missing field keeps its value, `null` resets it to its default, and an unknown field is an error. Contradictions
 * between fields are checked on the merged record; see `checkRules`. The library names the fields in camelCase; see `toStoredFields`.
 */
export const tableChange = v.strictObject({
  source: optional(exposedName, "The source in agnes.yaml that has the table"),
  name: optional(exposedName, "Stable name within the source; default: derived from the source's own name"),
  view_name: optional(exposedName, "Name of the view in SQL, unique in the workspace; default: the name"),
  source_table: optional(vendorName, "The source's own name of the table"),
  bucket: optional(
    vendorName,
    "Bucket, dataset or schema of the table in the source; default: derived from source_table",
  ),
  dataset: optional(vendorName, "Group of tables, for subscriptions; not the dataset of the source"),
  query_mode: v.nullish(queryMode),
  source_query: optional(
    v.pipe(
      text(100_000),
      v.check((query) => query.trim() !== "", "is empty"),
    ),
    "Query to run in the source, for the mode materialized: SQL, or JSON if its plugin has JSON queries",
  ),
  sync_strategy: v.nullish(syncStrategy),
  sync_schedule: optional(
    v.pipe(
      v.string(),
      v.rawCheck(({ dataset, addIssue }) => {
        const problem = dataset.typed ? scheduleProblem(dataset.value) : undefined;
        if (problem !== undefined) addIssue({ message: problem });
      }),
    ),
    "When to sync: `every 6h`, `daily 05:00,17:00` or five cron fields, UTC unless a time zone follows",
  ),
  sync_paused: optional(
    v.boolean(),
    "Sync the table only if it is named: not by its schedule, and not with all tables of its source",
  ),
  primary_key: optional(columnNames, "Columns that identify a row; default: the key reported by the source"),
  columns: optional(v.pipe(columnNames, v.nonEmpty("names no column")), "The columns to read; default: all"),
  incremental_column: optional(columnName, "Cursor column for incremental reads: its values only grow"),
  incremental_window_days: optional(
    days,
    "Lookback window: re-read this many days before the cursor, to catch late rows",
  ),
  full_keys: optional(
    v.pipe(
      v.string(),
      v.check((value) => fullKeysMs(value) !== null, FULL_KEYS_RULE),
    ),
    "How often an incremental sync reads all keys, to find rows deleted in the source: `every 7d`; default: never",
  ),
  max_history_days: optional(
    days,
    "On a full read, load only the last N days by the cursor column; default: all",
  ),
  initial_load_chunk_days: optional(
    days,
    "Split the first load into windows of N days by the cursor column or the time of changes, oldest first; default: one read",
  ),
  where_filters: optional(
    v.pipe(v.array(whereFilter), v.maxLength(50, "should have at most 50 conditions")),
    "Conditions on the rows to read, ANDed: column, operator, values; placeholders such as {{today}} are dates",
  ),
  partition_by: optional(columnName, "Partition column"),
  partition_granularity: v.nullish(partitionGranularity),
  schema_policy: v.nullish(schemaPolicy),
  invalid_values: v.nullish(invalidValues),
  quarantine: optional(
    v.boolean(),
    "Reject rows that do not fit their columns, instead of failing the table",
  ),
  quarantine_max_percent: optional(
    percent,
    "Maximum percentage of rejected rows before the table fails; default: 5",
  ),
  profile_after_sync: optional(
    v.boolean(),
    "Compute the profile of the table after each sync that changed it; default: true",
  ),
  server_only: optional(
    v.boolean(),
    "Whether the table can be queried on the server, but not downloaded as a copy; default: false",
  ),
  folder: optional(folderName, "Folder of the table for consumers; default: the folder of its bucket"),
  description: optional(text(20_000), "Description of the table"),
  foreign_keys: optional(
    v.pipe(v.array(foreignKey), v.maxLength(100, "should have at most 100 keys")),
    "Columns that reference other tables",
  ),
  column_metadata: optional(
    columnMetadataSchema({ columnName, text }),
    "Descriptions and SQL types by column, to write them to the source: description, type",
  ),
  documentation: optional(documentation, "Documentation of the table for authors of SQL"),
  source_metadata: optional(sourceMetadata, "Metadata of the source or an earlier system, as JSON"),
});

/** A change in its stored form. */
export type StoredChange = v.InferInput<typeof tableChange>;

/** The names of the fields as stored, in display order. */
export const storedFieldNames = Object.keys(tableChange.entries) as readonly StoredFieldName[];

/** The name of a field as stored: in the catalog, files, YAML and HTTP. */
export type StoredFieldName = keyof typeof tableChange.entries;

function optional<const S extends v.GenericSchema>(schema: S, description: string) {
  return v.nullish(v.pipe(schema, v.description(description)));
}

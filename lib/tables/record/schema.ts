import * as v from "valibot";

import { isExposedName } from "../../base/mod.ts";
import type { JsonRecord } from "../../catalog/mod.ts";
import { filterProblem } from "../filters.ts";
import { scheduleProblem } from "../schedule.ts";
import { isJson, isPlainObject } from "./json.ts";
import { isVendorName } from "./names.ts";

/** Default of `quarantine_max_percent`. */
const QUARANTINE_MAX_PERCENT = 5;

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
  v.finite("should be a number that ends"),
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
    v.array(v.union([text(1000), v.pipe(v.number(), v.finite("should be a number that ends")), v.boolean()])),
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
  sample_questions: given(texts(50), "Questions the table answers"),
  things_to_know: given(texts(50), "What an author of SQL should know first"),
  pairs_well_with: given(
    v.pipe(v.array(exposedName), v.maxLength(50, "should have at most 50 entries")),
    "View names it is often joined with",
  ),
  grain: given(text(2000), "What one row stands for"),
  platforms: given(texts(8), "The systems whose data it holds, at most 8"),
  partition_col: given(columnName, "The column that limits a query best"),
  history: given(text(2000), "How far back it goes, and what is missing"),
  gotchas: given(
    v.pipe(
      v.array(v.strictObject({ key: text(200), body: text(4000) })),
      v.maxLength(8, "should have at most 8 entries"),
    ),
    "Traps, at most 8, each with a key and a body",
  ),
});

/** Any JSON, so that metadata of another system is exported unchanged. */
const sourceMetadata = v.pipe(
  v.custom<JsonRecord>(isPlainObject, "an object of fields"),
  v.check((value) => isJson(value), "should hold only what JSON holds"),
  v.check(
    (value) => !isJson(value) || JSON.stringify(value).length <= METADATA_LENGTH,
    `should have at most ${METADATA_LENGTH} characters as JSON`,
  ),
);

/** Why something is not what `source_metadata` may hold; `undefined` when it is. */
export function sourceMetadataProblem(value: unknown): string | undefined {
  if (!isPlainObject(value)) return "should be an object of fields";
  return v.safeParse(sourceMetadata, value).issues?.[0].message;
}

/** The parts of the documentation, in display order. */
export const documentationKeys: readonly string[] = Object.keys(documentation.entries);

/**
 * The schema of a change, for register, update and import.
 *
 * A missing field keeps its value, `null` resets it to its default, and an unknown field is an error. Contradictions
 * between fields are checked on the merged record; see `checkRules`.
 */
export const tableChange = v.strictObject({
  source: given(exposedName, "The source in agnes.yaml the table comes from"),
  name: given(exposedName, "Stable name inside the source; default: made from the source's own name"),
  view_name: given(exposedName, "The name SQL authors type, unique; default: the name"),
  source_table: given(vendorName, "The source's own name of the table"),
  bucket: given(vendorName, "The bucket, dataset or schema of the table in the source"),
  dataset: given(vendorName, "Group of tables it belongs to, for subscriptions; not the dataset of BigQuery"),
  query_mode: given(
    v.picklist(["local", "remote", "materialized"]),
    "local: copied; remote: asked at the source; materialized: the result of a query is copied",
  ),
  source_query: given(
    v.pipe(
      text(100_000),
      v.check((query) => query.trim() !== "", "is empty"),
    ),
    "What to run in the source, for the mode materialized",
  ),
  sync_strategy: given(
    v.picklist(["full_refresh", "incremental", "partitioned"]),
    "How a sync brings the table up to date",
  ),
  sync_schedule: given(
    v.pipe(
      v.string(),
      v.rawCheck(({ dataset, addIssue }) => {
        const problem = dataset.typed ? scheduleProblem(dataset.value) : undefined;
        if (problem !== undefined) addIssue({ message: problem });
      }),
    ),
    "When to sync: `every 6h`, `daily 05:00,17:00` or five cron fields, UTC unless a time zone follows",
  ),
  primary_key: given(columnNames, "Columns that identify a row; default: what the source says"),
  columns: given(v.pipe(columnNames, v.nonEmpty("names no column")), "The columns to read; default: all"),
  incremental_column: given(columnName, "Column whose values only grow, for incremental reading"),
  incremental_window_days: given(
    days,
    "Days before its cursor, a time, at which an incremental read starts again, for rows that come late",
  ),
  max_history_days: given(days, "Days a read of the whole goes back by its cursor; default: everything"),
  initial_load_chunk_days: given(
    days,
    "Load the table for the first time in windows of N days by its cursor, oldest first; default: at once",
  ),
  where_filters: given(
    v.pipe(v.array(whereFilter), v.maxLength(50, "should have at most 50 conditions")),
    "Conditions on what is read, ANDed: column, operator, values; {{today}} and the like are days",
  ),
  partition_by: given(columnName, "Column by which the table is partitioned"),
  partition_granularity: given(
    v.picklist(["day", "month", "year"]),
    "Span of one partition; default month for a partitioned table",
  ),
  schema_policy: given(
    v.picklist(["evolve", "freeze"]),
    "evolve: follow changed columns; freeze: fail the table when they change",
  ),
  quarantine: given(v.boolean(), "Whether rows that do not fit are rejected instead of failing the table"),
  quarantine_max_percent: given(
    percent,
    "Share of the rows read, in percent, that may be rejected before the table fails; default 5",
  ),
  folder: given(folderName, "Folder of the table for consumers; default: that of its bucket"),
  description: given(text(20_000), "What the table holds"),
  foreign_keys: given(
    v.pipe(v.array(foreignKey), v.maxLength(100, "should have at most 100 keys")),
    "Columns that refer to other tables",
  ),
  documentation: given(documentation, "What people should know of the table"),
  source_metadata: given(sourceMetadata, "What the source or an earlier system notes of the table, as JSON"),
});

/** A change of a table; see `tableChange`. */
export type TableChange = v.InferInput<typeof tableChange>;

/** The defaults of the fields. */
export const tableDefaults = {
  view_name: null,
  source_table: null,
  bucket: null,
  dataset: null,
  query_mode: "local",
  source_query: null,
  sync_strategy: "full_refresh",
  sync_schedule: null,
  primary_key: [],
  columns: null,
  incremental_column: null,
  incremental_window_days: null,
  max_history_days: null,
  initial_load_chunk_days: null,
  where_filters: [],
  partition_by: null,
  partition_granularity: null,
  schema_policy: "evolve",
  quarantine: false,
  quarantine_max_percent: QUARANTINE_MAX_PERCENT,
  folder: null,
  description: "",
  foreign_keys: [],
  documentation: {},
  source_metadata: {},
} as const;

type Checked = Required<v.InferOutput<typeof tableChange>>;
type Cleared = typeof tableDefaults;

/** The complete settings of a table. */
export type TableSettings = {
  readonly [K in keyof Checked]: K extends "source" | "name" | "view_name"
    ? string
    : K extends keyof Cleared
      ? NonNullable<Checked[K]> | (null extends Cleared[K] ? null : never)
      : never;
};

/** A registered table. */
export interface TableRecord extends TableSettings {
  /** `source.name`; never changes. */
  readonly id: string;
  readonly registered_by: string;
  /** ISO 8601, UTC. */
  readonly registered_at: string;
  /** Stored values of fields that this version does not read; missing if there are none. See `withoutUnread`. */
  readonly unread?: Readonly<Record<string, unknown>>;
}

/** The fields of a table, in display order. */
export const tableFieldNames = Object.keys(tableChange.entries) as readonly (keyof TableSettings)[];

function given<const S extends v.GenericSchema>(schema: S, description: string) {
  return v.nullish(v.pipe(schema, v.description(description)));
}

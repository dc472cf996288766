import type * as v from "valibot";

import type { RegisteredColumn } from "./column-metadata.ts";
import type { tableChange } from "./schema.ts";
import type { LibraryFields } from "./stored-fields.ts";

/**
 * A change of a table: a missing field keeps its value, `null` resets it to its default. The fields are those of
 * `agnes table register`, in camelCase.
 */
export interface TableChange extends LibraryFields<v.InferInput<typeof tableChange>> {}

/** A change with well-formed values. */
export type CheckedChange = LibraryFields<v.InferOutput<typeof tableChange>>;

/** The defaults of the fields. */
export const tableDefaults = {
  viewName: null,
  sourceTable: null,
  bucket: null,
  dataset: null,
  queryMode: "local",
  sourceQuery: null,
  syncStrategy: "full_refresh",
  syncSchedule: null,
  syncPaused: false,
  primaryKey: [],
  columns: null,
  incrementalColumn: null,
  incrementalWindowDays: null,
  fullKeys: null,
  maxHistoryDays: null,
  initialLoadChunkDays: null,
  whereFilters: [],
  partitionBy: null,
  partitionGranularity: null,
  schemaPolicy: "evolve",
  invalidValues: "fail",
  quarantine: false,
  quarantineMaxPercent: 5,
  profileAfterSync: true,
  serverOnly: false,
  folder: null,
  description: "",
  foreignKeys: [],
  columnMetadata: {},
  documentation: {},
  sourceMetadata: {},
} as const;

type Checked = Required<CheckedChange>;
type Cleared = typeof tableDefaults;

/** The complete settings of a table. */
export type TableSettings = {
  readonly [K in keyof Checked]: K extends "source" | "name" | "viewName"
    ? string
    : K extends "columnMetadata"
      ? Readonly<Record<string, RegisteredColumn>>
      : K extends keyof Cleared
        ? NonNullable<Checked[K]> | (null extends Cleared[K] ? null : never)
        : never;
};

/** A registered table. */
export interface TableRecord extends TableSettings {
  /** `source.name`; never changes. */
  readonly id: string;
  readonly registeredBy: string;
  /** ISO 8601, UTC. */
  readonly registeredAt: string;
  /** Stored values of fields that this version does not read; missing if there are none. See `withoutUnread`. */
  readonly unread?: Readonly<Record<string, unknown>>;
}

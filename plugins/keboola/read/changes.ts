import type { FilterValue, JsonValue, ReadChanges, ReadOptions, TableInfo } from "agnes/kit";
import * as v from "valibot";

import type { TableColumn } from "../tables/columns.ts";
import { isTyped } from "../tables/columns.ts";
import { dateOf } from "../dates.ts";
import { digest } from "../digest.ts";
import { errors } from "../errors.ts";
import { hasTimestamps, kindOf } from "../tables/kinds.ts";
import type { StorageTable } from "../api/schemas.ts";
import type { FoundTable } from "../tables/tables.ts";

/** Dates of changes have whole seconds, so an export this close to one may lack a change of the same second. */
const SETTLED_MS = 5000;

const stateSchema = v.strictObject({
  version: v.literal(1),
  /** Unix seconds; rows imported later are changes. */
  changedSince: v.pipe(v.number(), v.safeInteger()),
  /** What rows and types depend on, except the rows themselves. */
  shape: v.string(),
  /** The shape and the last change of the exported rows; null if a change may be missing. */
  lastVersion: v.nullable(v.string()),
});
type State = v.InferOutput<typeof stateSchema>;

/** The table of a read, and what is requested of it. */
export interface ReadSubject {
  readonly info: TableInfo;
  readonly found: FoundTable;
  /** The columns to export, in order. */
  readonly columns: readonly TableColumn[];
  /** Whether it is known that the bucket is not external. */
  readonly isKnown: boolean;
}

/** The rows of the table that a read selects. */
type Selection = Pick<ReadOptions, "filter" | "limit" | "sourceQuery">;

/** How to read a table. */
export type ReadPlan =
  | { readonly kind: "unchanged" }
  /** `replaces`: the runtime would merge the rows, but they must replace the table. */
  | { readonly kind: "whole"; readonly replaces: boolean }
  | { readonly kind: "changes"; readonly range: ImportRange };

/** Times of imports in Unix seconds; an absent end is open. */
interface ImportRange {
  readonly changedSince?: number;
  readonly changedUntil?: number;
}

/**
 * Decides what to export.
 * @throws `keboola/cursor_refused`
 */
export function planRead(
  subject: ReadSubject,
  options: Selection & Pick<ReadOptions, "state" | "isDelta" | "cursor" | "window" | "changes">,
): ReadPlan {
  // Its state is that of the first window.
  if (options.changes !== undefined) return { kind: "changes", range: imported(options.changes) };
  const state = parsedState(options.state);
  const { found, info } = subject;
  // The runtime keeps only rows after the cursor, so changes of earlier rows would be lost.
  if (options.isDelta === true && options.cursor !== undefined && options.window === undefined)
    throw errors.cursor_refused({ table: info.name, column: options.cursor.column });
  const shape = shapeOf(subject, options);
  const hasSameVersion = state?.lastVersion === versionOf(shape, found.table);
  if (state !== null && hasSameVersion && canSkip(subject)) return { kind: "unchanged" };
  if (options.isDelta !== true) return { kind: "whole", replaces: false };
  const hasKey = info.primaryKey.length > 0;
  // Only the number of rows shows that rows were deleted or replaced.
  const isCounted = rowsOf(subject, options) !== null && (found.table.lastChangeDate ?? null) !== null;
  if (state !== null && state.shape === shape && hasKey && hasTimestamps(found.table) && isCounted)
    return { kind: "changes", range: { changedSince: state.changedSince } };
  return { kind: "whole", replaces: true };
}

/** The documentation does not state whether the ends are included, so they are moved by a second; rows are merged by key. */
function imported({ from, to }: ReadChanges): ImportRange {
  return {
    ...(from === undefined ? {} : { changedSince: Math.floor(from.getTime() / 1000) - 1 }),
    ...(to === undefined ? {} : { changedUntil: Math.ceil(to.getTime() / 1000) + 1 }),
  };
}

/** Whether it is known that no row changed since the first window of a load; true in the first window. */
export function isUnchangedSince(
  subject: ReadSubject,
  options: Pick<ReadOptions, "state" | "filter">,
): boolean {
  if (!canSkip(subject)) return false;
  if (options.state === undefined) return true;
  const version = versionOf(shapeOf(subject, options), subject.found.table);
  return parsedState(options.state)?.lastVersion === version;
}

/** Returns the number of rows of a table, if a read of all of it must yield as many; otherwise null. */
export function rowsOf(
  { found, isKnown }: ReadSubject,
  { filter = [], limit, sourceQuery }: Selection,
): number | null {
  const { table } = found;
  const kind = kindOf(table);
  if (limit !== undefined || sourceQuery !== undefined) return null;
  if (!isKnown || kind === "external" || kind === "view") return null;
  if (filter.length > 0 || table.aliasFilter !== null) return null;
  return table.rowsCount ?? null;
}

/** Returns the state after an export that began at `startedAt`, by the clock of the stack. */
export function stateAfter(
  subject: ReadSubject,
  options: Selection,
  { startedAt, marginMinutes }: { readonly startedAt: Date; readonly marginMinutes: number },
): JsonValue {
  const { table } = subject.found;
  const shape = shapeOf(subject, options);
  const changedAt = dateOf(table.lastChangeDate);
  const isSettled = changedAt !== null && startedAt.getTime() - changedAt.getTime() >= SETTLED_MS;
  const state: State = {
    version: 1,
    changedSince: Math.max(0, Math.floor(startedAt.getTime() / 1000 - marginMinutes * 60)),
    shape,
    lastVersion: isSettled ? versionOf(shape, table) : null,
  };
  return state;
}

/** Whether the dates of the table show that no row changed: not those of views, external and linked tables. */
function canSkip({ found: { table }, isKnown }: ReadSubject): boolean {
  const kind = kindOf(table);
  return isKnown && (kind === "table" || kind === "alias") && (table.lastChangeDate ?? null) !== null;
}

/** Everything but the rows that determines what is read: columns, types, conditions, and the source of an alias. */
export function shapeOf(
  { found: { table, branch }, columns }: ReadSubject,
  { filter = [], limit, sourceQuery }: Selection,
): string {
  const { id, sourceTable, aliasFilter } = table;
  return digest([
    id,
    branch ?? null,
    kindOf(table),
    isTyped(table),
    columns.map(({ name, type, nativeType }) => [name, type, nativeType]),
    filter.map(({ column, operator, values }) => [column, operator, values.map(identityOf)]),
    sourceTable?.project?.id ?? null,
    sourceTable?.id ?? null,
    aliasFilter,
    table.timestampType ?? null,
    // Without a query the shape is that of earlier versions, so that their state stays valid.
    ...(limit === undefined && sourceQuery === undefined ? [] : [limit ?? null, sourceQuery ?? null]),
  ]);
}

/** The type and the text of a value: JSON has no bigints, and a text may look like another value. */
function identityOf(value: FilterValue): readonly [string, string] {
  return [typeof value, value instanceof Date ? value.toISOString() : String(value)];
}

const versionOf = (shape: string, { lastChangeDate }: StorageTable): string =>
  digest([shape, lastChangeDate ?? null]);

/** Another value than a state, such as one of an earlier version, causes a full read. */
function parsedState(value: JsonValue | undefined): State | null {
  const result = v.safeParse(stateSchema, value);
  return result.success ? result.output : null;
}

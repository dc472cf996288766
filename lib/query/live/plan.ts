import { bigintAsText } from "../../base/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";
import type { Filter } from "../../kit/mod.ts";
import { neededColumns } from "./columns.ts";
import { filtersOf } from "./conditions.ts";
import { keySourcesOf, type KeySource } from "./keys.ts";
import { limitOf } from "./limit.ts";
import { conditionsOn, finderOf, isPlain, type ColumnsOf, type TypedColumn } from "./scope.ts";
import { placesOf, type TablePlace } from "./places.ts";
import { tracingOf, type Tracing } from "./trace.ts";
import { referencesOf, type Node } from "./tree.ts";

/** The positions of a table in a statement; see `TableUse`. */
export type Positions = readonly (number | null)[];

/** The part of a live table that a statement needs. */
export interface TableDemand {
  readonly columns: readonly string[];
  readonly filter: readonly Filter[];
  /** Further restrictions, which require that other tables are read first. */
  readonly keySources: readonly KeySource[];
  readonly limit: number | null;
  /** Whether only the column names and types are needed, so that the connector is not called. */
  readonly isSchemaOnly: boolean;
}

/** The demand for all rows and columns, for statements that cannot be analyzed. */
export function demandForAll(columns: readonly TypedColumn[]): TableDemand {
  const names = columns.map(({ name }) => name);
  return { columns: names, filter: [], keySources: [], limit: null, isSchemaOnly: false };
}

/** The demand for no rows, for statements that only need the columns. */
export function demandForSchema(columns: readonly TypedColumn[]): TableDemand {
  return { ...demandForAll(columns), isSchemaOnly: true };
}

/**
 * Returns the part of a live table that a statement needs, or more, but never less.
 *
 * @param root the SELECT
 * @param rowsMax the number of rows of the result that are read
 */
export async function demandOf(
  connection: Connection,
  root: Node,
  table: {
    /** The positions at which its rows are read. */
    readonly positions: Positions;
    readonly columns: readonly TypedColumn[];
    /** Whether the statement also describes the table, so that it needs all columns. */
    readonly isDescribed: boolean;
  },
  columnsOf: ColumnsOf,
  rowsMax: number,
): Promise<TableDemand> {
  const known = referencesOf(root);
  const references = table.positions.map((position) => (position === null ? undefined : known.get(position)));
  if (!references.every((reference) => reference !== undefined)) return demandForAll(table.columns);
  const names = table.columns.map(({ name }) => name);
  const columns = table.isDescribed ? names : neededColumns(root, references, names);
  const tracing = tracingOf(root, columnsOf);
  const placed = references.map((reference) => placesOf(reference, table.columns, tracing));
  const found: Conditions[] = [];
  for (const places of placed) found.push(await filtersOn(connection, places));
  const [only] = references;
  if (only === undefined || references.length > 1) {
    const filter = common(found.map((one) => one.filter));
    return { columns, filter, keySources: [], limit: null, isSchemaOnly: false };
  }
  const { filter, isAll } = found[0]!;
  const limit = isAll && isPlain(only.relation, only.select) ? limitOf(only, rowsMax) : null;
  const keySources = placed[0]!.flatMap((place) => keySourcesAt(place, tracing));
  return { columns, filter, keySources, limit, isSchemaOnly: false };
}

interface Conditions {
  readonly filter: readonly Filter[];
  /** Whether the filter is equivalent to the conditions. */
  readonly isAll: boolean;
}

async function filtersOn(connection: Connection, places: readonly TablePlace[]): Promise<Conditions> {
  const filter: Filter[] = [];
  let isAll = true;
  for (const { reference, columnsOf, originalOf } of places) {
    for (const { conjunct, visible, isNullable } of conditionsOn(reference)) {
      const found = await filtersOf(connection, conjunct, finderOf(reference.relation, visible, columnsOf));
      const usable = found.filter(({ operator }) => operator !== "is_null" || !isNullable);
      filter.push(...usable.map((one) => ({ ...one, column: originalOf(one.column).name })));
      isAll &&= usable.length > 0;
    }
  }
  return { filter, isAll };
}

function keySourcesAt(
  { reference, columnsOf, originalOf }: TablePlace,
  tracing: Tracing,
): readonly KeySource[] {
  const sources = keySourcesOf(reference, { ...tracing, columnsOf });
  return sources.map((source) => ({ ...source, column: originalOf(source.column.name) }));
}

/** Returns the filters that all lists have in common. */
function common(lists: readonly (readonly Filter[])[]): readonly Filter[] {
  const texts = lists.map((list) => new Set(list.map(textOf)));
  return (lists[0] ?? []).filter((filter) => texts.every((some) => some.has(textOf(filter))));
}

function textOf(filter: Filter): string {
  return JSON.stringify([filter, filter.values.map((value) => typeof value)], bigintAsText);
}

import type { Connection } from "../../duckdb/mod.ts";
import type { Filter } from "../../kit/mod.ts";
import { wantedColumns } from "./columns.ts";
import { filtersOf } from "./conditions.ts";
import { keySourcesOf, type KeySource } from "./keys.ts";
import { limitOf } from "./limit.ts";
import { conditionsOn, finderOf, isPlain, type ColumnsOf, type TypedColumn } from "./scope.ts";
import { placesOf, type TablePlace } from "./places.ts";
import { tracingOf, type Tracing } from "./trace.ts";
import { referencesOf, type Node } from "./tree.ts";

/** Where a statement names a table; see `TableUse`. */
export type Positions = readonly (number | null)[];

/** What a statement wants of one live table. */
export interface TableDemand {
  readonly columns: readonly string[];
  readonly filter: readonly Filter[];
  /** What else limits it, as soon as the other table can be read. */
  readonly keySources: readonly KeySource[];
  readonly limit: number | null;
  /** Whether only the columns matter, so that its connector is asked for nothing. */
  readonly isSchemaOnly: boolean;
}

/** Everything, for a statement of which no more is known. */
export function demandForAll(columns: readonly TypedColumn[]): TableDemand {
  const names = columns.map(({ name }) => name);
  return { columns: names, filter: [], keySources: [], limit: null, isSchemaOnly: false };
}

/** No row, for a statement that only looks at the columns. */
export function demandForSchema(columns: readonly TypedColumn[]): TableDemand {
  return { ...demandForAll(columns), isSchemaOnly: true };
}

/**
 * What a statement wants of one live table: never less than it can use.
 *
 * @param root the SELECT
 * @param rowsMax how many rows of the answer are read
 */
export async function demandOf(
  connection: Connection,
  root: Node,
  table: {
    /** Where it is named and its rows matter. */
    readonly positions: Positions;
    readonly columns: readonly TypedColumn[];
    /** Whether it is also described, so that every column is needed. */
    readonly isDescribed: boolean;
  },
  columnsOf: ColumnsOf,
  rowsMax: number,
): Promise<TableDemand> {
  const known = referencesOf(root);
  const references = table.positions.map((position) => (position === null ? undefined : known.get(position)));
  if (!references.every((reference) => reference !== undefined)) return demandForAll(table.columns);
  const names = table.columns.map(({ name }) => name);
  const columns = table.isDescribed ? names : wantedColumns(root, references, names);
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
  /** Whether the filter says all that the conditions say. */
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

/** The filters that every one of several lists has. */
function common(lists: readonly (readonly Filter[])[]): readonly Filter[] {
  const texts = lists.map((list) => new Set(list.map(textOf)));
  return (lists[0] ?? []).filter((filter) => texts.every((some) => some.has(textOf(filter))));
}

function textOf(filter: Filter): string {
  return JSON.stringify(filter, (_key, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

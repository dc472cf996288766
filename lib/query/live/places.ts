import { outputsOf } from "./outputs.ts";
import { finderOf, isPlain, isUngrouped, type ColumnsOf, type TypedColumn } from "./scope.ts";
import type { Tracing } from "./trace.ts";
import { columnNamesOf, nodesOf, type Reference } from "./tree.ts";

/** A FROM with rows of a table, which must satisfy its conditions. */
export interface TablePlace {
  readonly reference: Reference;
  /** The columns of relations, with the names of the table's columns in this FROM. */
  readonly columnsOf: ColumnsOf;
  /** Returns the table's column for a column of this FROM. */
  readonly originalOf: (name: string) => TypedColumn;
}

/**
 * Returns the places of a table's rows: the FROM that refers to it, then the enclosing ones, as long as each SELECT only
 * passes on rows of that table, to one place.
 */
export function placesOf(
  reference: Reference,
  columns: readonly TypedColumn[],
  tracing: Tracing,
): readonly TablePlace[] {
  let names: ReadonlyMap<string, TypedColumn> = new Map(columns.map((column) => [column.name, column]));
  const places: TablePlace[] = [];
  for (let at: Reference | undefined = reference; at !== undefined;) {
    const place: TablePlace = placeOf(at, names, tracing);
    places.push(place);
    names = passesRowsOn(at) ? passedOn(at, place) : new Map();
    at = names.size === 0 ? undefined : tracing.outerOf.get(at.select);
  }
  return places;
}

function placeOf(
  reference: Reference,
  names: ReadonlyMap<string, TypedColumn>,
  tracing: Tracing,
): TablePlace {
  const columns = [...names].map(([name, { type }]) => ({ name, type }));
  return {
    reference,
    columnsOf: (relation) =>
      relation.node === reference.relation.node ? columns : tracing.columnsOf(relation),
    originalOf: (name) => names.get(name)!,
  };
}

/** Whether a SELECT reads one relation and returns one row for each row, independent of other rows. */
function passesRowsOn({ relation, select }: Reference): boolean {
  if (select["from_table"] !== relation.node || !isPlain(relation, select)) return false;
  if ((select["modifiers"] as readonly unknown[]).length > 0 || !isUngrouped(select)) return false;
  // Aggregates need no check: DuckDB rejects a bare column beside an aggregate.
  for (const node of nodesOf(select["select_list"])) if (node["class"] === "WINDOW") return false;
  return true;
}

/** Returns the columns that a SELECT passes on unchanged, by their new names. */
function passedOn(
  { relation, select }: Reference,
  { columnsOf, originalOf }: TablePlace,
): ReadonlyMap<string, TypedColumn> {
  const find = finderOf(relation, [relation], columnsOf);
  const passed = new Map<string, TypedColumn>();
  for (const [name, expression] of outputsOf(select, columnsOf) ?? []) {
    const names = columnNamesOf(expression);
    const column = names === null ? null : find(names);
    if (column !== null) passed.set(name, originalOf(column.name));
  }
  return passed;
}

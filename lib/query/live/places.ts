import { outputsOf } from "./outputs.ts";
import { finderOf, isPlain, isUngrouped, type ColumnsOf, type TypedColumn } from "./scope.ts";
import type { Tracing } from "./trace.ts";
import { columnNamesOf, nodesOf, type Reference } from "./tree.ts";

/** A FROM in which rows of a table stand, whose conditions they must meet. */
export interface TablePlace {
  readonly reference: Reference;
  /** As of the whole statement, with what the table's columns are called in this FROM. */
  readonly columnsOf: ColumnsOf;
  /** The column of the table that a column of this FROM is. */
  readonly originalOf: (name: string) => TypedColumn;
}

/**
 * Where the rows of a table stand: in the FROM that names it, then in those around it, as long as a SELECT does no more
 * than pass rows of that table alone on, to one place.
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

/** Whether a SELECT reads one relation, and each of its rows is made of one row, whatever the others are. */
function passesRowsOn({ relation, select }: Reference): boolean {
  if (select["from_table"] !== relation.node || !isPlain(relation, select)) return false;
  if ((select["modifiers"] as readonly unknown[]).length > 0 || !isUngrouped(select)) return false;
  // Aggregates need no look: DuckDB refuses a bare column of the relation beside one.
  for (const node of nodesOf(select["select_list"])) if (node["class"] === "WINDOW") return false;
  return true;
}

/** What the columns of a table are called that a SELECT passes on unchanged. */
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

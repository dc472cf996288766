import { AgnesError } from "../../base/mod.ts";
import type { FileReading } from "../../kit/mod.ts";
import type { SchemaPolicy } from "../../tables/mod.ts";
import type { PublishedColumn, SchemaChange } from "../format/extract-state.ts";
import { describeChange, diffColumns, withPublished } from "./diff.ts";
import { readingChanges } from "./reading.ts";
import { byFoldedName, folded } from "./folded.ts";
import { widest } from "./widen.ts";

/** What a table was when it was last published. */
export interface PreviousColumns {
  readonly columns: readonly PublishedColumn[];
  readonly sourceColumns: readonly PublishedColumn[];
  readonly reading?: FileReading;
}

/** What a change of the source's schema comes to. */
export interface Evolution {
  /** The columns to publish, in order. */
  readonly columns: readonly PublishedColumn[];
  readonly changes: readonly SchemaChange[];
}

/**
 * Decides which columns a table publishes when its source describes it as `source` now.
 *
 * Columns keep their place, and are called what the source calls them; added ones come last; removed ones stay and are null; a type only ever widens, unless the
 * options of the source decide it and no earlier row stays.
 * `accept` is the owner's word that the source is right: nothing of the previous layout is kept.
 *
 * @param replaced whether no row of an earlier layout stays
 * @throws `schema_frozen`, `schema_change_unsafe`
 */
export function evolve(
  table: string,
  previous: PreviousColumns | null,
  source: readonly PublishedColumn[],
  options: {
    /** The id of the table, for hints. Default: its name. */
    readonly id?: string;
    readonly policy: SchemaPolicy;
    readonly accept: boolean;
    readonly replaced: boolean;
    readonly reading?: FileReading | undefined;
  },
): Evolution {
  const { id = table } = options;
  if (previous === null || previous.columns.length === 0) return { columns: source, changes: [] };
  const read = readingChanges(previous.reading, options.reading);
  const retyped = new Set(read.flatMap((change) => (change.kind === "type_changed" ? [change.column] : [])));
  const isTold = (change: SchemaChange) => change.kind === "type_changed" && retyped.has(change.column);
  const changes = [...diffColumns(previous.sourceColumns, source).filter((one) => !isTold(one)), ...read];
  if (options.policy === "freeze" && changes.length > 0) {
    throw new AgnesError("schema_frozen", { id, table, changes: changes.map(describeChange) });
  }
  if (options.accept) return { columns: source, changes };
  const now = byFoldedName(source);
  // Where the options of the source decide the type, the owner has accepted it.
  const given = new Set(
    (options.reading?.columns ?? []).flatMap((column) => (column.given === true ? [column.name] : [])),
  );
  const unsafe: string[] = [];
  // Earlier versions published a column whose name changed its case twice.
  const before = [...byFoldedName(previous.columns).values()];
  const kept = before.map((was): PublishedColumn => {
    const is = now.get(folded(was.name));
    if (is === undefined) return { ...was, nullable: true };
    const type = options.replaced && given.has(is.name) ? is.type : widest(was.type, is.type, options);
    if (type === null) {
      unsafe.push(describeChange({ kind: "type_changed", column: is.name, from: was.type, to: is.type }));
    }
    return { ...is, type: type ?? is.type, nullable: was.nullable || is.nullable };
  });
  if (unsafe.length > 0) throw new AgnesError("schema_change_unsafe", { id, table, changes: unsafe });
  const had = byFoldedName(previous.columns);
  const added = source.filter((column) => !had.has(folded(column.name)));
  // Rows that stay have no value in a column that was added.
  const padded = options.replaced ? added : added.map((column) => ({ ...column, nullable: true }));
  const columns = [...kept, ...padded];
  return { columns, changes: withPublished(changes, columns) };
}

/** Whether two lists of columns lay out a Parquet file in the same way. */
export function sameLayout(a: readonly PublishedColumn[], b: readonly PublishedColumn[]): boolean {
  return (
    a.length === b.length &&
    a.every((column, at) => column.name === b[at]?.name && column.type === b[at].type)
  );
}

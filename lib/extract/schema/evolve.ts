import { AgnesError } from "../../base/mod.ts";
import type { FileReading } from "../../kit/mod.ts";
import type { SchemaPolicy } from "../../tables/mod.ts";
import type { PublishedColumn, SchemaChange } from "../format/extract-state.ts";
import { describeChange, diffColumns, withPublished } from "./diff.ts";
import { readingChanges } from "./reading.ts";
import { byFoldedName, folded } from "./folded.ts";
import { widest } from "./widen.ts";

/** The published layout of a table. */
export interface PreviousColumns {
  readonly columns: readonly PublishedColumn[];
  readonly sourceColumns: readonly PublishedColumn[];
  readonly reading?: FileReading;
}

/** The result of a change of the source's schema. */
export interface Evolution {
  /** The columns to publish, in order. */
  readonly columns: readonly PublishedColumn[];
  readonly changes: readonly SchemaChange[];
}

/**
 * Decides which columns a table publishes when its source describes it as `source`.
 *
 * Columns keep their position and use the names of the source. Added columns come last. Removed columns stay, with null
 * in new rows. Types are only widened, unless the options of the source set the type and no earlier rows are kept.
 *
 * @param options `accept`: adopt the layout of the source without changes; `replaced`: no rows of an earlier layout
 *   are kept
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
  const isCovered = (change: SchemaChange) => change.kind === "type_changed" && retyped.has(change.column);
  const changes = [...diffColumns(previous.sourceColumns, source).filter((one) => !isCovered(one)), ...read];
  if (options.policy === "freeze" && changes.length > 0) {
    throw new AgnesError("schema_frozen", { id, table, changes: changes.map(describeChange) });
  }
  if (options.accept) return { columns: source, changes };
  const sourceColumns = byFoldedName(source);
  // A type that the options of the source set is accepted by the owner.
  const configured = new Set(
    (options.reading?.columns ?? []).flatMap((column) => (column.isConfigured === true ? [column.name] : [])),
  );
  const unsafe: string[] = [];
  // Earlier versions published a column twice when the case of its name changed.
  const before = [...byFoldedName(previous.columns).values()];
  const kept = before.map((was): PublishedColumn => {
    const is = sourceColumns.get(folded(was.name));
    if (is === undefined) return { ...was, nullable: true };
    const type = options.replaced && configured.has(is.name) ? is.type : widest(was.type, is.type, options);
    if (type === null) {
      unsafe.push(describeChange({ kind: "type_changed", column: is.name, from: was.type, to: is.type }));
    }
    return { ...is, type: type ?? is.type, nullable: was.nullable || is.nullable };
  });
  if (unsafe.length > 0) throw new AgnesError("schema_change_unsafe", { id, table, changes: unsafe });
  const had = byFoldedName(previous.columns);
  const added = source.filter((column) => !had.has(folded(column.name)));
  // Earlier rows have null in added columns.
  const padded = options.replaced ? added : added.map((column) => ({ ...column, nullable: true }));
  const columns = [...kept, ...padded];
  return { columns, changes: withPublished(changes, columns) };
}

/** Whether two lists of columns have the same names and types in the same order. */
export function sameLayout(a: readonly PublishedColumn[], b: readonly PublishedColumn[]): boolean {
  return (
    a.length === b.length &&
    a.every((column, at) => column.name === b[at]?.name && column.type === b[at].type)
  );
}

import { storedType } from "../../duckdb/mod.ts";
import type { PublishedColumn, SchemaChange } from "../format/extract-state.ts";
import { byFoldedName, folded } from "./folded.ts";

/**
 * Compares two descriptions of a table's columns. A name that differs only in case is a renamed column.
 */
export function diffColumns(
  before: readonly PublishedColumn[],
  after: readonly PublishedColumn[],
): readonly SchemaChange[] {
  const old = byFoldedName(before);
  const columnsAfter = byFoldedName(after);
  const changes: SchemaChange[] = [];
  for (const { name, type } of after) {
    if (!old.has(folded(name))) changes.push({ kind: "added", column: name, type });
  }
  for (const { name, type } of before) {
    if (!columnsAfter.has(folded(name))) changes.push({ kind: "removed", column: name, type });
  }
  for (const column of after) {
    const was = old.get(folded(column.name));
    if (was === undefined) continue;
    if (was.name !== column.name) changes.push({ kind: "renamed", column: column.name, from: was.name });
    if (was.type !== column.type) {
      changes.push({ kind: "type_changed", column: column.name, from: was.type, to: column.type });
    }
    if (was.nullable !== column.nullable) {
      changes.push({ kind: "nullability_changed", column: column.name, nullable: column.nullable });
    }
  }
  const from = before.map(({ name }) => name).filter((name) => columnsAfter.has(folded(name)));
  const to = after.map(({ name }) => name).filter((name) => old.has(folded(name)));
  if (from.some((name, at) => folded(name) !== folded(to[at]!)))
    changes.push({ kind: "reordered", from, to });
  return changes;
}

const UNTIL_FULL = "until a sync with --full";

/** Adds what the published table keeps of the earlier layout: removed columns and unchanged types. */
export function withPublished(
  changes: readonly SchemaChange[],
  columns: readonly PublishedColumn[],
): readonly SchemaChange[] {
  const published = byFoldedName(columns);
  return changes.map((change) => {
    if (change.kind === "removed" && published.has(folded(change.column))) return { ...change, kept: true };
    if (change.kind !== "type_changed") return change;
    const type = published.get(folded(change.column))?.type;
    return type === undefined || type === storedType(change.to) ? change : { ...change, published: type };
  });
}

/** Describes a change for logs, notes and errors. */
export function describeChange(change: SchemaChange): string {
  switch (change.kind) {
    case "added":
      return `column ${change.column} ${change.type} was added`;
    case "removed":
      return `column ${change.column} ${change.type} was removed${change.kept === true ? `; it is kept ${UNTIL_FULL}` : ""}`;
    case "renamed":
      return `column ${change.from} was renamed to ${change.column}`;
    case "type_changed": {
      const { column, from, to, published } = change;
      const stays = published === undefined ? "" : `; it stays published as ${published} ${UNTIL_FULL}`;
      const json = to === "JSON" ? " text, in which strings are quoted" : "";
      return `column ${column} changed from ${from === "JSON" ? "JSON text" : from} to ${to}${json}${stays}`;
    }
    case "nullability_changed":
      return `column ${change.column} ${change.nullable ? "may now be null" : "may no longer be null"}`;
    case "reading_changed":
      return `its files were read as ${change.from} and are now read as ${change.to}`;
    case "reordered":
      return `the order of the columns changed to ${change.to.join(", ")}`;
  }
}

import type { PublishedColumn } from "./column.ts";

/** One difference between two descriptions of a table. */
export type SchemaChange =
  | { readonly kind: "added"; readonly column: string; readonly type: string }
  | { readonly kind: "removed"; readonly column: string; readonly type: string }
  | { readonly kind: "type_changed"; readonly column: string; readonly from: string; readonly to: string }
  | { readonly kind: "nullability_changed"; readonly column: string; readonly nullable: boolean }
  | { readonly kind: "reading_changed"; readonly from: string; readonly to: string }
  | { readonly kind: "reordered"; readonly from: readonly string[]; readonly to: readonly string[] };

/** Every difference between what a source said of a table before and what it says now. */
export function diffColumns(
  before: readonly PublishedColumn[],
  after: readonly PublishedColumn[],
): readonly SchemaChange[] {
  const old = new Map(before.map((column) => [column.name, column]));
  const now = new Map(after.map((column) => [column.name, column]));
  const changes: SchemaChange[] = [];
  for (const { name, type } of after) {
    if (!old.has(name)) changes.push({ kind: "added", column: name, type });
  }
  for (const { name, type } of before) {
    if (!now.has(name)) changes.push({ kind: "removed", column: name, type });
  }
  for (const column of after) {
    const was = old.get(column.name);
    if (was === undefined) continue;
    if (was.type !== column.type) {
      changes.push({ kind: "type_changed", column: column.name, from: was.type, to: column.type });
    }
    if (was.nullable !== column.nullable) {
      changes.push({ kind: "nullability_changed", column: column.name, nullable: column.nullable });
    }
  }
  const from = before.map((column) => column.name).filter((name) => now.has(name));
  const to = after.map((column) => column.name).filter((name) => old.has(name));
  if (from.some((name, at) => name !== to[at])) changes.push({ kind: "reordered", from, to });
  return changes;
}

/** A change in words. */
export function describeChange(change: SchemaChange): string {
  switch (change.kind) {
    case "added":
      return `column ${change.column} ${change.type} was added`;
    case "removed":
      return `column ${change.column} ${change.type} was removed`;
    case "type_changed":
      return `column ${change.column} was ${change.from} and is ${change.to}`;
    case "nullability_changed":
      return `column ${change.column} ${change.nullable ? "may now be null" : "may no longer be null"}`;
    case "reading_changed":
      return `its files were read as ${change.from} and are read as ${change.to}`;
    case "reordered":
      return `the order of the columns changed to ${change.to.join(", ")}`;
  }
}

import { createHash } from "node:crypto";

import type { PublishedColumn, PublishedTable, SchemaVersion } from "../../extract/mod.ts";

/**
 * A hash of what a reader of a table sees: its columns, and its parts in order with their layouts. Generations, runs and times
 * are not part of it, so a full refresh that changed nothing keeps it. Descriptions are not part of it either.
 *
 * @returns SHA-256, hexadecimal
 */
export function contentHash(table: Pick<PublishedTable, "columns" | "parts" | "schemas">): string {
  // Numbers of layouts depend on the history of the table.
  const layouts = layoutsOf(table);
  const positions = new Map(layouts.map(({ version }, at) => [version, at]));
  const content = [
    table.columns.map(columnOf),
    layouts.map(({ columns }) => columns.map(columnOf)),
    table.parts.map(({ sha256, schemaVersion }) => [sha256, positions.get(schemaVersion) ?? null]),
  ];
  return createHash("sha256").update(JSON.stringify(content)).digest("hex");
}

/** The layouts that the parts of a table refer to, in the order of the parts. */
export function layoutsOf({
  parts,
  schemas,
}: Pick<PublishedTable, "parts" | "schemas">): readonly SchemaVersion[] {
  const used = new Set(parts.map(({ schemaVersion }) => schemaVersion));
  const byVersion = new Map(schemas.map((schema) => [schema.version, schema]));
  return [...used].flatMap((version) => byVersion.get(version) ?? []);
}

function columnOf({ name, type, nullable }: PublishedColumn): readonly unknown[] {
  return [name, type, nullable];
}

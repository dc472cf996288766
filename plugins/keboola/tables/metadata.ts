import type { EntityType, TableMetadata } from "agnes/kit";

import { columnsOf } from "./columns.ts";
import { dateOf } from "../dates.ts";
import { kindOf, type TableKind } from "./kinds.ts";
import type { StorageTable } from "../api/schemas.ts";

/** An alias is a view of one table, whose rows Keboola knows. */
const ENTITY_TYPES: Readonly<Record<TableKind, EntityType>> = {
  table: "table",
  alias: "view",
  linked: "view",
  view: "view",
  external: "external",
};

/** Returns what Keboola knows of a table without reading it. */
export function metadataOf(table: StorageTable): TableMetadata {
  const { rowsCount, dataSizeBytes, definition } = table;
  const kind = kindOf(table);
  // Figures of a view and of an external table are those of its last refresh, or none.
  const isCounted = kind !== "view" && kind !== "external" && table.aliasFilter === null;
  const modifiedAt = isCounted ? dateOf(table.lastChangeDate) : null;
  const partitionField = definition?.timePartitioning?.field ?? null;
  const clustering = definition?.clustering?.fields;
  return {
    name: table.id,
    entityType: ENTITY_TYPES[kind],
    ...(isCounted && typeof rowsCount === "number" ? { rows: rowsCount } : {}),
    ...(isCounted && typeof dataSizeBytes === "number" ? { sizeBytes: dataSizeBytes } : {}),
    ...(modifiedAt === null ? {} : { modifiedAt }),
    ...(partitionField === null ? {} : { partitionedBy: [partitionField] }),
    ...(clustering === undefined ? {} : { clusteredBy: clustering }),
    columns: columnsOf(table).map(({ name, type, nativeType, nullable, description }) => ({
      name,
      type: nativeType ?? type,
      ...(nullable === null ? {} : { nullable }),
      ...(description === undefined ? {} : { description }),
    })),
  };
}

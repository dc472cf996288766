import {
  AgnesError,
  table as tableInfo,
  type ColumnMetadata,
  type EntityType,
  type JsonValue,
  type TableInfo,
  type TableMetadata,
} from "agnes/kit";

import { errors } from "./errors.ts";
import { tableNameOf, type TablePath } from "./names.ts";
import type { BigQueryTable, Field } from "./schemas.ts";
import { descriptionOf, schemaOf, typeName } from "./types.ts";

const ENTITY_TYPES: Readonly<Record<string, EntityType>> = {
  TABLE: "table",
  VIEW: "view",
  MATERIALIZED_VIEW: "materialized_view",
  EXTERNAL: "external",
  SNAPSHOT: "snapshot",
};

/** Where a table is. */
function pathOf({ tableReference }: BigQueryTable): TablePath {
  const { projectId, datasetId, tableId } = tableReference;
  return { project: projectId, dataset: datasetId, table: tableId };
}

/** Describes a table; one that cannot be read has a `problem`. */
export function describeTable(table: BigQueryTable, project: string): TableInfo {
  const path = pathOf(table);
  const name = tableNameOf(path, project);
  try {
    return described(table, path, name);
  } catch (error) {
    if (error instanceof AgnesError) return tableInfo(name, {}, { problem: error });
    throw error;
  }
}

function described(table: BigQueryTable, path: TablePath, name: string): TableInfo {
  const { fields } = table.schema;
  if (fields.length === 0) throw errors.table_invalid({ table: name, reason: "it has no columns" });
  const columns = new Set(fields.map((field) => field.name));
  const primaryKey = table.tableConstraints?.primaryKey?.columns ?? [];
  const { rows } = countsOf(table);
  const { description = "" } = table;
  return tableInfo(name, schemaOf(fields, name), {
    primaryKey: primaryKey.every((column) => columns.has(column)) ? primaryKey : [],
    identity: path.project,
    remotePath: [path.project, path.dataset, path.table],
    sourceMetadata: sourceMetadataOf(table),
    ...(description === "" ? {} : { description }),
    ...(rows === undefined ? {} : { estimatedRows: rows }),
  });
}

/** What rarely changes. Rows, bytes and the last change are in `metadata`. */
function sourceMetadataOf(table: BigQueryTable): Readonly<Record<string, JsonValue>> {
  const { location, friendlyName, clustering } = table;
  const partition = partitionColumnOf(table);
  return {
    kind: entityTypeOf(table) ?? table.type,
    dataset: table.tableReference.datasetId,
    ...(location === undefined ? {} : { location }),
    ...(friendlyName === undefined || friendlyName === "" ? {} : { displayName: friendlyName }),
    ...(partition === undefined ? {} : { partitionedBy: partition }),
    ...(clustering === undefined ? {} : { clusteredBy: clustering.fields }),
    ...(requiresFilter(table) ? { requirePartitionFilter: true } : {}),
  };
}

function entityTypeOf({ type, cloneDefinition }: BigQueryTable): EntityType | undefined {
  return type === "TABLE" && cloneDefinition !== undefined ? "clone" : ENTITY_TYPES[type];
}

/** The column of the partitions; tables partitioned by the time of loading have a pseudo column. */
export function partitionColumnOf({
  timePartitioning,
  rangePartitioning,
}: BigQueryTable): string | undefined {
  if (timePartitioning !== undefined) return timePartitioning.field ?? "_PARTITIONTIME";
  return rangePartitioning?.field;
}

/** Whether queries of the table need a condition on its partition column. */
export function requiresFilter({ requirePartitionFilter, timePartitioning }: BigQueryTable): boolean {
  return requirePartitionFilter || timePartitioning?.requirePartitionFilter === true;
}

/**
 * The rows and bytes, if they are known: those of views are not, those of external tables are reported as 0, and those in a
 * streaming buffer are not counted.
 */
export function countsOf(table: BigQueryTable): { readonly rows?: number; readonly sizeBytes?: number } {
  const { numRows, numBytes, streamingBuffer } = table;
  const isStored = ["table", "snapshot", "clone"].includes(entityTypeOf(table) ?? "");
  if (!isStored || streamingBuffer !== undefined) return {};
  return {
    ...(numRows === undefined ? {} : { rows: numRows }),
    ...(numBytes === undefined ? {} : { sizeBytes: numBytes }),
  };
}

/** Returns what BigQuery knows of a table without a query. */
export function metadataOf(table: BigQueryTable, name: string): TableMetadata {
  const entityType = entityTypeOf(table);
  const { lastModifiedTime, clustering } = table;
  // Of views and external tables it is the time of the last change of the definition.
  const hasTime = lastModifiedTime !== undefined && ["table", "snapshot", "clone"].includes(entityType ?? "");
  const partition = partitionColumnOf(table);
  const isColumn = table.schema.fields.some((field) => field.name === partition);
  return {
    name,
    ...(entityType === undefined ? {} : { entityType }),
    ...countsOf(table),
    ...(hasTime ? { modifiedAt: new Date(lastModifiedTime) } : {}),
    ...(partition === undefined ? { partitionedBy: [] } : isColumn ? { partitionedBy: [partition] } : {}),
    clusteredBy: clustering?.fields ?? [],
    columns: columnsOf(table.schema.fields),
  };
}

/** The columns as BigQuery describes them. */
export function columnsOf(fields: readonly Field[]): readonly ColumnMetadata[] {
  return fields.map((field) => {
    const description = descriptionOf(field);
    return {
      name: field.name,
      type: typeName(field),
      nullable: field.mode?.toUpperCase() !== "REQUIRED",
      ...(description === undefined ? {} : { description }),
    };
  });
}

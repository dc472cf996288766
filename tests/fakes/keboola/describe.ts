import { formatDate } from "./dates.ts";
import type { KeboolaBucket, KeboolaStorage } from "./storage.ts";
import type { AliasSource, KeboolaTable, ProjectName } from "./table.ts";
import { baseTypeOf, type TypedColumn } from "./types.ts";

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** What descriptions are made for. */
export interface DescribeContext {
  /** The base of all addresses, such as `https://connection.keboola.test/v2/storage`. */
  readonly base: string;
  readonly storage: KeboolaStorage;
  /** See `KeboolaScript.answers`. */
  readonly answers?: "documented" | "recorded" | undefined;
}

/** Fields of buckets and tables that recorded responses of earlier stacks lack. */
const LATER_FIELDS = [
  "displayName",
  "hasExternalSchema",
  "databaseName",
  "path",
  "bucketSharingAllowed",
  "updated",
  "color",
  "owner",
  "isLinkedBucket",
  "backendPath",
  "isAliasable",
  "isTyped",
  "timestampType",
  "tableType",
];

function fieldsOf(answer: JsonObject, { answers }: DescribeContext): JsonObject {
  if (answers !== "recorded") return answer;
  return Object.fromEntries(Object.entries(answer).filter(([name]) => !LATER_FIELDS.includes(name)));
}

/** A bucket, as lists and details return it. */
export function describeBucket(bucket: KeboolaBucket, context: DescribeContext): JsonObject {
  const { base, storage } = context;
  const { id, source } = bucket;
  const [stage] = id.split(".");
  const tables = storage.tablesOf(id);
  const changes = tables.flatMap(({ lastChange }) => (lastChange === null ? [] : [lastChange.getTime()]));
  const counts = tables.filter((table) => !table.source);
  const answer = {
    uri: `${base}/buckets/${id}`,
    id,
    name: id.slice(stage!.length + 1),
    displayName: bucket.displayName,
    stage,
    description: bucket.description,
    tables: `${base}/buckets/${id}/tables`,
    created: formatDate(bucket.created),
    lastChangeDate: changes.length === 0 ? null : formatDate(new Date(Math.max(...changes))),
    isReadOnly: source !== null,
    dataSizeBytes: counts.reduce((sum, table) => sum + (sizeOf(table) ?? 0), 0),
    rowsCount: counts.reduce((sum, table) => sum + (table.rowsCount ?? 0), 0),
    isMaintenance: false,
    backend: bucket.backend,
    hasExternalSchema: bucket.isExternal,
    databaseName: bucket.isExternal ? "CUSTOMER_DB" : null,
    path: `KBC_PRJ_${storage.project.id}.${id}`,
    sharing: null,
    bucketSharingAllowed: true,
    owner: null,
    updated: formatDate(bucket.created),
    color: null,
    isLinkedBucket: source !== null,
    backendPath: [`KBC_PRJ_${(source?.project ?? storage.project).id}`, id],
    ...(source === null
      ? {}
      : {
          sourceBucket: {
            id: source.id,
            name: source.id.slice(source.id.indexOf(".") + 1),
            description: source.description,
            project: source.project,
          },
        }),
  };
  return fieldsOf(answer, context);
}

/** A table of a list, with the parts that the request includes. */
export function listTable(
  table: KeboolaTable,
  includes: ReadonlySet<string>,
  context: DescribeContext,
): JsonObject {
  const bucket = context.storage.buckets.get(table.bucketId);
  const withBucket = includes.has("buckets") || includes.has("bucketsWithoutSourceTables");
  return {
    ...fieldsOf(facts(table, context), context),
    ...(table.source === null ? {} : { sourceTable: sourceOf(table.source, includes, context) }),
    ...aliasFacts(table),
    ...(includes.has("columns") ? { columns: table.columns } : {}),
    ...(withBucket && bucket !== undefined ? { bucket: describeBucket(bucket, context) } : {}),
    ...(includes.has("metadata") ? { metadata: table.metadata } : {}),
    ...(includes.has("columnMetadata") ? { columnMetadata: columnMetadataOf(table) } : {}),
  };
}

/** A table in full; `definition` exists only for one with native types. */
export function describeTable(table: KeboolaTable, context: DescribeContext): JsonObject {
  const all = new Set([
    "columns",
    "buckets",
    "metadata",
    "columnMetadata",
    "sourceMetadata",
    "sourceColumnMetadata",
  ]);
  const source = table.source && sourceOf(table.source, all, context);
  const definition = definitionOf(table);
  const sourceDefinition = table.source && definitionOf(table.source.table);
  return {
    ...listTable(table, all, context),
    ...(definition === null ? {} : { definition }),
    ...(source === null
      ? {}
      : {
          sourceTable: { ...source, ...(sourceDefinition === null ? {} : { definition: sourceDefinition }) },
        }),
  };
}

/** PHP writes an empty map as an empty list. */
function columnMetadataOf(table: KeboolaTable): JsonObject | readonly never[] {
  return table.columnMetadata.size === 0 ? [] : Object.fromEntries(table.columnMetadata);
}

function facts(table: KeboolaTable, { base, storage }: DescribeContext): JsonObject {
  const dates = table.source?.table ?? table;
  return {
    uri: `${base}/tables/${table.id}`,
    id: table.id,
    name: table.name,
    displayName: table.options.displayName ?? table.name,
    transactional: false,
    primaryKey: table.primaryKey,
    created: formatDate(table.created),
    lastImportDate: dates.lastImport && formatDate(dates.lastImport),
    lastChangeDate: dates.lastChange && formatDate(dates.lastChange),
    rowsCount: table.rowsCount,
    dataSizeBytes: sizeOf(table),
    isAlias: table.source !== null,
    isAliasable: table.source === null,
    isTyped: table.isTyped,
    timestampType: (table.source?.table ?? table).options.timestampType ?? "MANAGED",
    tableType: table.options.tableType ?? "table",
    path: `kbc_${storage.project.id}.${table.bucketId.slice(table.bucketId.indexOf(".") + 1)}.${table.name}`,
  };
}

function aliasFacts({ source }: KeboolaTable): JsonObject {
  if (source === null) return {};
  const { columns, filter } = source;
  return {
    aliasColumnsAutoSync: columns === undefined,
    ...(filter === undefined ? {} : { aliasFilter: { operator: "eq", ...filter } }),
  };
}

function sourceOf(
  { table, project }: AliasSource,
  includes: ReadonlySet<string>,
  { base }: DescribeContext,
): JsonObject & { readonly project: ProjectName } {
  return {
    id: table.id,
    uri: `${base}/tables/${table.id}`,
    isAlias: false,
    project,
    ...(includes.has("sourceMetadata") ? { metadata: table.metadata } : {}),
    ...(includes.has("sourceColumnMetadata") ? { columnMetadata: columnMetadataOf(table) } : {}),
  };
}

function definitionOf({ types, columns, primaryKey, options }: KeboolaTable): JsonObject | null {
  if (types === null) return null;
  const describe = (name: string) => {
    const column: TypedColumn = types.get(name) ?? { name, type: "VARCHAR", length: 16_777_216 };
    const { type, length, nullable = !primaryKey.includes(name) } = column;
    return {
      name,
      definition: { type, nullable, ...(length === undefined ? {} : { length }) },
      basetype: baseTypeOf(column),
      canBeFiltered: true,
    };
  };
  return {
    primaryKeysNames: primaryKey,
    columns: columns.map(describe),
    requirePartitionFilter: options.requirePartitionFilter ?? false,
  };
}

function sizeOf(table: KeboolaTable): number | null {
  if (table.options.dataSizeBytes !== undefined) return table.options.dataSizeBytes;
  return table.rowsCount === null ? null : Math.ceil((table.rowsCount * 64) / 1024) * 1024;
}

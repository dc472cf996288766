import { table as tableInfo, type JsonValue, type TableInfo } from "agnes/kit";

import { columnsOf, isTyped, schemaOf } from "./columns.ts";
import { dateOf } from "../dates.ts";
import { errors } from "../errors.ts";
import { hasTimestamps, kindOf, type TableKind } from "./kinds.ts";
import { descriptionOf } from "./metadata-providers.ts";
import { remoteOf, type AttachSettings } from "./remote.ts";
import type { StorageTable } from "../api/schemas.ts";
import { bucketOf } from "./table-id.ts";
import type { FoundTable, UnreadableTable } from "./tables.ts";

/** What the description of a table depends on besides the table. */
export interface DescribeContext {
  readonly url: string;
  readonly projectId: string;
  readonly settings: AttachSettings;
}

/** Describes a table of a list, or one with its native types. */
export function describeTable(found: FoundTable | UnreadableTable, context: DescribeContext): TableInfo {
  if (!("table" in found)) return tableInfo(found.id, {}, { problem: found.problem });
  const { table } = found;
  const problem = problemOf(table);
  if (problem !== undefined)
    return tableInfo(table.id, {}, { problem: errors.table_invalid({ table: table.id, reason: problem }) });
  const { id, columns, primaryKey, rowsCount, sourceTable } = table;
  const description = descriptionOf(table.metadata) ?? descriptionOf(sourceTable?.metadata);
  const notes = notesOf(found, context);
  const hasKey = primaryKey.every((column) => columns.includes(column));
  return tableInfo(id, schemaOf(columnsOf(table)), {
    primaryKey: hasKey ? primaryKey : [],
    identity: identityOf(found, context),
    sourceMetadata: sourceMetadataOf(table),
    ...remoteOf(found, context.settings),
    ...(description === undefined ? {} : { description }),
    ...(typeof rowsCount === "number" && table.aliasFilter === null ? { estimatedRows: rowsCount } : {}),
    ...(notes.length === 0 ? {} : { notes }),
    ...changesOf(table),
  });
}

/** When the oldest rows were imported, if rows can be exported by the time of their import and counted. */
function changesOf(table: StorageTable): Pick<TableInfo, "changesFrom"> {
  const { created, lastChangeDate, rowsCount, aliasFilter } = table;
  const isCounted = typeof rowsCount === "number" && aliasFilter === null && dateOf(lastChangeDate) !== null;
  const changesFrom = dateOf(created);
  return changesFrom === null || !isCounted || !hasTimestamps(table) ? {} : { changesFrom };
}

function problemOf({ columns }: StorageTable): string | undefined {
  if (columns.length === 0) return "it has no columns";
  const folded = new Map<string, string>();
  for (const column of columns) {
    const other = folded.get(column.toLowerCase());
    if (column === "" || other !== undefined)
      return column === ""
        ? "a column has no name"
        : `its columns ${other} and ${column} differ only in case`;
    folded.set(column.toLowerCase(), column);
  }
  return undefined;
}

/** What the rows of the table come from. Rows of another project, or under another filter, are not changes of these. */
function identityOf({ table, branch }: FoundTable, { url, projectId }: DescribeContext): string {
  const { sourceTable, aliasFilter } = table;
  const source = [sourceTable?.project?.id, sourceTable?.id, aliasFilter].map((part) => part ?? null);
  const alias = source.every((part) => part === null) ? [] : source;
  return JSON.stringify([new URL(url).host, projectId, branch ?? null, ...alias]);
}

/** What rarely changes. Rows, bytes and the last change are in `metadata`. */
function sourceMetadataOf(table: StorageTable): Readonly<Record<string, JsonValue>> {
  const { bucket, sourceTable, aliasFilter } = table;
  const bucketId = bucketOf(table.id);
  const source = sourceTable ?? null;
  return {
    kind: kindOf(table),
    bucket: bucketId,
    stage: bucket?.stage ?? bucketId.split(".")[0]!,
    isTyped: isTyped(table),
    timestampType: table.timestampType ?? "MANAGED",
    ...filled("displayName", table.displayName),
    ...filled("bucketName", bucket?.displayName),
    ...filled("bucketDescription", bucket?.description),
    ...filled("backend", bucket?.backend),
    ...(source === null ? {} : { sourceTable: source.id, ...filled("sourceProject", source.project?.id) }),
    ...(aliasFilter === null ? {} : { aliasFilter }),
  };
}

const filled = (key: string, value: string | null | undefined): Readonly<Record<string, string>> =>
  value === null || value === undefined || value === "" ? {} : { [key]: value };

const WHOLE_READ: Readonly<Partial<Record<TableKind, string>>> = {
  external:
    "it is in an external bucket, whose changes Keboola does not know, so each sync exports all of it",
  view: "it is a view, whose changes Keboola does not know, so each sync exports all of it",
};

function notesOf({ table, branch }: FoundTable, context: DescribeContext): readonly string[] {
  const { settings } = context;
  const isFallback = settings.branch !== undefined && branch === undefined;
  const whole = WHOLE_READ[kindOf(table)];
  const untimed =
    "it has no _timestamp, so changes cannot be exported alone and each changed version is exported whole";
  return [
    ...(isFallback
      ? [`branch ${settings.branch} does not have it, so it is read from the default branch`]
      : []),
    ...(whole === undefined ? [] : [whole]),
    ...(whole === undefined && !hasTimestamps(table) ? [untimed] : []),
  ];
}

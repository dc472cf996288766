import { join } from "node:path";

import { counted } from "../../base/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { ReadResult } from "../../kit/mod.ts";
import { defaultGranularity } from "../../tables/mod.ts";
import type { ReadDecision } from "../read/decide.ts";
import type { PublishedColumn, Part, PublishedTable, Tombstone } from "../format/extract-state.ts";
import { partitionExpression, readParquet } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { discard, statedRange, type StagedPart } from "../write/staged.ts";
import { writeEmptyPart } from "../write/write-parts.ts";
import { applyDeletions, type RemainingRows } from "./deletions.ts";
import { deltaNames, dropDelta, lastOfEachKey, loadDelta, orderedParts } from "./delta.ts";
import { mergeDelta, writeSql, type MergeRequest } from "./merge.ts";
import { withoutNullKeys } from "./null-keys.ts";
import { mergeOrigins, type ReadOrigins } from "./origins.ts";
import { dropTombstoned, sameTombstones, tombstonesAfterRead, tombstonesAfterWhole } from "./tombstones.ts";
import { writePartitions } from "./partitions.ts";
import { refuseRepeatedKeys, repeatedKeys } from "./repeated-keys.ts";

/** The parts of a table after a read, or the reason why the whole table must be read again. */
export type MergedRead =
  | {
      readonly kind: "merged";
      readonly kept: readonly Part[];
      readonly written: readonly StagedPart[];
      readonly cursor: PublishedTable["cursor"];
      readonly changed: boolean;
      /** Whether the rows replace published ones (all, or those of some origins), which may be identical. */
      readonly replaces: boolean;
      readonly shadowed: boolean;
      /** Published rows that the source reported as deleted. */
      readonly rowsDeleted: number;
      readonly tombstones: readonly Tombstone[];
      /** Rows that later rows of the same read replaced, if that was not intended. */
      readonly rowsReplaced?: number;
      /** Notes for the owner about the merge. */
      readonly notes?: readonly string[];
    }
  | { readonly kind: "again"; readonly reason: string };

type Merged = Omit<Extract<MergedRead, { kind: "merged" }>, "cursor" | "kind">;

/** Merges the rows of a read with the published rows. */
export async function mergeRead(
  job: TableJob,
  decision: ReadDecision,
  staged: readonly StagedPart[],
  end: ReadResult,
  columns: readonly PublishedColumn[],
  quarantine: Quarantine | null,
): Promise<MergedRead> {
  const { plan } = job;
  const origins = originsOf(staged, end);
  const nonEmpty = staged.filter((part) => part.rows > 0);
  await discard(
    job.run,
    staged.filter((part) => part.rows === 0),
  );
  await using connection = await job.run.database.connect();
  const filled =
    plan.strategy === "full_refresh" && quarantine === null
      ? nonEmpty
      : await withoutNullKeys(job, connection, nonEmpty, columns, quarantine);
  const cursor = await newCursor(job, connection, filled, columns, decision);
  let merged: Merged;
  if (decision.kind === "whole") {
    const left = await applyDeletions(job, connection, filled, columns);
    const tombstones = await tombstonesAfterWhole(job, connection, left.parts, columns);
    const replaced = await replacePublished(job, connection, left, columns, keptParts(job.previous, end));
    merged = { ...replaced, tombstones };
  } else if (origins === null) {
    merged = await mergeIntoPublished(job, connection, filled, columns, cursor?.value);
  } else {
    const some = filled.some((part) => part.kind === "deletions")
      ? ({ kind: "again", reason: "files changed and rows were deleted in one read" } as const)
      : await mergeOrigins(job, connection, filled, origins, columns);
    if (some.kind === "again") {
      await discard(job.run, filled);
      return some;
    }
    const changed = some.written.length > 0 || some.kept.length < publishedParts(job.previous).length;
    const { tombstones } = job.previous!;
    merged = { ...some, changed, replaces: true, rowsDeleted: 0, tombstones };
  }
  if (!merged.changed || merged.kept.length + merged.written.length > 0) {
    return { ...merged, kind: "merged", cursor };
  }
  return { ...merged, kind: "merged", written: [await writeEmptyPart(job, columns)], cursor };
}

/** The origins that a read yielded or kept; null if it has none. */
function originsOf(staged: readonly StagedPart[], end: ReadResult): ReadOrigins | null {
  const yielded = new Set(staged.map((part) => part.origin).filter((origin) => origin !== null));
  if (yielded.size === 0 && end.kept === undefined) return null;
  return { yielded, kept: end.kept === undefined ? undefined : new Set(end.kept) };
}

function publishedParts(previous: PublishedTable | undefined): readonly Part[] {
  return previous?.parts.filter((part) => part.rows > 0) ?? [];
}

/** The parts that a full read keeps: those of origins that the connector reported as unchanged. */
function keptParts(previous: PublishedTable | undefined, end: ReadResult): readonly Part[] {
  const kept = new Set(end.kept);
  return previous?.parts.filter((part) => part.origin !== null && kept.has(part.origin)) ?? [];
}

async function replacePublished(
  job: TableJob,
  connection: Connection,
  { parts: staged, rowsDeleted }: RemainingRows,
  columns: readonly PublishedColumn[],
  kept: readonly Part[],
): Promise<Omit<Merged, "tombstones">> {
  const { plan } = job;
  const whole = { kept, changed: true, replaces: true, rowsDeleted, shadowed: false };
  if (staged.length === 0) return { ...whole, written: staged };
  if (plan.strategy === "full_refresh") {
    const published = kept.map((part) => join(job.run.directory, part.path));
    await refuseRepeatedKeys(job, connection, { staged, published }, columns);
    return { ...whole, written: staged };
  }
  const list = columnList(columns);
  const source = orderedParts(staged, list);
  const last = plan.primaryKey.length === 0 ? "" : lastOfEachKey(plan.primaryKey);
  const repeated = await repeatedKeys(job, connection, { staged, published: [] }, columns);
  // Between files the last one is meant to win. Replaced rows within a single read are reported.
  const isReported = repeated !== null && staged.every((part) => part.origin === null);
  const notes = isReported
    ? [
        `later rows of the same read replaced ${counted(repeated.rows, "row")} with the same primary key ` +
          `(${plan.primaryKey.join(", ")}), for example ${repeated.example}`,
      ]
    : [];
  const reported = isReported ? { notes, rowsReplaced: repeated.rows } : {};
  if (plan.strategy === "partitioned") {
    const label = partitionExpression(plan.partitionBy!, plan.partitionGranularity ?? defaultGranularity);
    const unique = `SELECT ${list} FROM ${source} ${last}`;
    const written = await writePartitions(job, connection, unique, list, label);
    await discard(job.run, staged);
    return { ...whole, written, ...reported };
  }
  if (repeated === null) return { ...whole, written: staged };
  const written: StagedPart[] = [];
  for (const [at, part] of staged.entries()) {
    const sql = `SELECT ${list} FROM (SELECT * FROM ${source} ${last}) WHERE agnes_part = ${at}`;
    const rewritten = await writeSql(job, sql, part.origin);
    if (rewritten.rows > 0) written.push(rewritten);
    else await discard(job.run, [rewritten]);
  }
  await discard(job.run, staged);
  return { ...whole, written, shadowed: true, ...reported };
}

async function mergeIntoPublished(
  job: TableJob,
  connection: Connection,
  staged: readonly StagedPart[],
  columns: readonly PublishedColumn[],
  reached: string | undefined,
): Promise<Merged> {
  const { plan, previous } = job;
  const published = previous!;
  const plain = { replaces: false, shadowed: true };
  if (staged.length === 0) {
    const { parts: kept, tombstones } = published;
    return { ...plain, kept, written: [], changed: false, rowsDeleted: 0, tombstones };
  }
  const delta = deltaNames();
  try {
    await loadDelta(job, connection, delta, staged, columns, plan.primaryKey);
    const byEvents = published.tombstones.filter(({ by }) => by === undefined);
    await dropTombstoned(connection, delta, byEvents, columns, plan);
    const tombstones = await tombstonesAfterRead(job, connection, delta, columns, reached);
    // An event may be newer than what the source returns to reads, for example from a search index.
    const hasVersions =
      job.run.source.connector.stream !== undefined && columns.some(({ name }) => name === plan.cursor);
    const merged = await mergeDelta(job, connection, delta, {
      published,
      columns,
      key: plan.primaryKey,
      ...(hasVersions ? { newest: { column: plan.cursor! } } : {}),
      ...partitionOf(job),
    });
    await discard(job.run, staged);
    // A deletion of an unknown row is published too, so that an older event cannot insert the row.
    const changed = merged.changed || !sameTombstones(tombstones, published.tombstones);
    return { ...plain, ...merged, changed, tombstones };
  } finally {
    await dropDelta(connection, delta).catch(() => {});
  }
}

/** The partitioning of a table, for a merge. */
export function partitionOf({ plan }: Pick<TableJob, "plan">): Pick<MergeRequest, "partition"> {
  if (plan.strategy !== "partitioned") return {};
  return {
    partition: { column: plan.partitionBy!, granularity: plan.partitionGranularity ?? defaultGranularity },
  };
}

/** The high-water mark: the greatest value of the cursor column among the rows read and published before. */
async function newCursor(
  job: TableJob,
  connection: Connection,
  filled: readonly StagedPart[],
  columns: readonly PublishedColumn[],
  decision: ReadDecision,
): Promise<PublishedTable["cursor"]> {
  const staged = filled.filter((part) => part.kind === "staged");
  const column = columns.find(({ name }) => name === job.plan.cursor);
  if (column === undefined) return undefined;
  const before =
    decision.cursor?.value ?? (decision.kind === "delta" ? job.previous?.cursor?.value : undefined);
  if (staged.length === 0) return before === undefined ? undefined : { column: column.name, value: before };
  const ranges = staged.map((part) => statedRange(part, column.name));
  const isStated = ranges.every((range) => range !== null);
  const known = [...(isStated ? ranges.map((range) => range.max) : []), before].filter(
    (text) => text != null,
  );
  const values = known.map((text) => `(CAST(${quoteLiteral(text)} AS ${column.type}))`);
  const relations = [
    ...(isStated
      ? []
      : [`SELECT ${quoteIdentifier(column.name)} FROM ${readParquet(staged.map(({ path }) => path))}`]),
    ...(values.length === 0 ? [] : [`VALUES ${values.join(", ")}`]),
  ];
  if (relations.length === 0) return undefined;
  const [row] = await connection.rows<{ value: string | null }>(
    `SELECT CAST(max(value) AS VARCHAR) AS value FROM (${relations.join(" UNION ALL ")}) AS found(value)`,
    { signal: job.signal },
  );
  return row?.value == null ? undefined : { column: column.name, value: row.value };
}

import type { Connection } from "../../duckdb/mod.ts";
import type { Granularity } from "../../tables/mod.ts";
import type { PublishedColumn, Part, PublishedTable } from "../format/extract-state.ts";
import { keysMatch, partitionExpression } from "../schema/select.ts";
import { columnList } from "../schema/view.ts";
import type { TableJob } from "../job/job.ts";
import type { StagedPart } from "../write/staged.ts";
import { writePart, type PartOptions } from "../write/write-part.ts";
import { partsRelation } from "./candidates.ts";
import type { Delta } from "./delta.ts";
import { labelFits, writePartitions } from "./partitions.ts";
import { findAffected, type AffectedRows, type NewestWins } from "./affected-rows.ts";

/** The published parts to merge a delta into. */
export interface MergeRequest {
  readonly published: Pick<PublishedTable, "parts" | "schemas">;
  /** The published columns. The delta has the same ones. */
  readonly columns: readonly PublishedColumn[];
  /** The primary key; if empty, rows are appended. */
  readonly key: readonly string[];
  /** For deltas that may arrive out of order. */
  readonly newest?: NewestWins;
  readonly partition?: { readonly column: string; readonly granularity: Granularity };
}

/** The parts that a merge kept and wrote. */
export interface MergeResult {
  readonly kept: readonly Part[];
  readonly written: readonly StagedPart[];
  readonly changed: boolean;
  /** Published rows that were deleted. */
  readonly rowsDeleted: number;
}

/** A part is small if it has fewer rows than a full part divided by this number. */
const SMALL_SHARE = 4;
/** Number of small parts that triggers compaction. */
const SMALL_PARTS_MAX = 8;

/** Merges a delta into published parts. Parts without affected rows are kept as they are. */
export async function mergeDelta(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  request: MergeRequest,
): Promise<MergeResult> {
  const { published, columns, key, newest } = request;
  const affected =
    key.length === 0 ? null : await findAffected(job, connection, delta, published, columns, key, newest);
  try {
    const isEmpty = (await countRows(connection, delta.rows)) === 0;
    if (isEmpty && (affected === null || affected.parts.size === 0)) {
      return { kept: published.parts, written: [], changed: false, rowsDeleted: 0 };
    }
    const merged =
      request.partition === undefined
        ? await mergeIntoParts(job, connection, delta, request, affected)
        : await mergeIntoPartitions(job, connection, delta, request, affected, request.partition);
    return { ...merged, changed: true, rowsDeleted: affected?.deleted ?? 0 };
  } finally {
    if (affected !== null) await connection.run(`DROP TABLE IF EXISTS ${affected.table}`).catch(() => {});
  }
}

async function mergeIntoParts(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  { published, columns, key }: MergeRequest,
  affected: AffectedRows | null,
): Promise<Pick<MergeResult, "kept" | "written">> {
  const written: StagedPart[] = [];
  const list = columnList(columns);
  const rewritten = new Set([...(affected?.parts.values() ?? [])].map((part) => part.path));
  for (const [place, part] of affected?.parts ?? []) {
    const old = partsRelation(job.run, [part], columns, published.schemas);
    const sql =
      `SELECT ${list} FROM ${old} o ANTI JOIN ${affected!.table} t ON ${keysMatch(key, "o", "t")} UNION ALL ` +
      `SELECT ${list} FROM ${delta.rows} d SEMI JOIN (FROM ${affected!.table} WHERE agnes_part = ${place}) t ` +
      `ON ${keysMatch(key, "d", "t")}`;
    const staged = await writeSql(job, sql, part.origin);
    if (staged.rows > 0) written.push(staged);
    else await job.run.services.host.files.remove(staged.path);
  }
  const fresh =
    affected === null
      ? `SELECT ${list} FROM ${delta.rows}`
      : `SELECT ${list} FROM ${delta.rows} d ANTI JOIN ${affected.table} t ON ${keysMatch(key, "d", "t")}`;
  const kept = published.parts.filter((part) => part.rows > 0 && !rewritten.has(part.path));
  const small = smallParts(kept, job.run.partRows);
  const compacted = small.length >= SMALL_PARTS_MAX ? small : [];
  const old =
    compacted.length === 0
      ? []
      : [`SELECT ${list} FROM ${partsRelation(job.run, compacted, columns, published.schemas)}`];
  written.push(...(await writeInSlices(job, connection, [fresh, ...old].join(" UNION ALL "), list, key)));
  const gone = new Set(compacted.map((part) => part.path));
  return { kept: kept.filter((part) => !gone.has(part.path)), written };
}

async function mergeIntoPartitions(
  job: TableJob,
  connection: Connection,
  delta: Delta,
  { published, columns, key }: MergeRequest,
  affected: AffectedRows | null,
  partition: NonNullable<MergeRequest["partition"]>,
): Promise<Pick<MergeResult, "kept" | "written">> {
  const label = partitionExpression(partition.column, partition.granularity);
  const found = await connection.rows<{ label: string }>(
    `SELECT DISTINCT ${label} AS label FROM ${delta.rows}`,
  );
  const labels = new Set([
    ...found.map((row) => row.label),
    ...[...(affected?.parts.values() ?? [])].map((part) => part.partition ?? ""),
  ]);
  // Parts with labels of another granularity are rewritten.
  const isRewritten = (part: Part) =>
    part.partition === null ||
    !labelFits(part.partition, partition.granularity) ||
    labels.has(part.partition);
  const rewritten = published.parts.filter(isRewritten);
  const list = columnList(columns);
  const anti = affected === null ? "" : ` ANTI JOIN ${affected.table} t ON ${keysMatch(key, "o", "t")}`;
  const old = `SELECT ${list} FROM ${partsRelation(job.run, rewritten, columns, published.schemas)} o${anti}`;
  const sql = `${old} UNION ALL SELECT ${list} FROM ${delta.rows}`;
  const written = await writePartitions(job, connection, sql, list, label);
  return { kept: published.parts.filter((part) => !isRewritten(part)), written };
}

/** The parts to compact: small ones without an origin and a partition. */
function smallParts(parts: readonly Part[], partRows: number): readonly Part[] {
  return parts.filter(
    (part) => part.origin === null && part.partition === null && part.rows < partRows / SMALL_SHARE,
  );
}

let nextSlices = 1;

/** Writes rows into parts of the target size, clustered by the key. */
async function writeInSlices(
  job: TableJob,
  connection: Connection,
  sql: string,
  list: string,
  key: readonly string[],
): Promise<readonly StagedPart[]> {
  const rows = await countRows(connection, `(${sql})`);
  if (rows === 0) return [];
  const slices = Math.ceil(rows / (job.run.partRows * 1.5));
  if (slices === 1) return [await writeSql(job, sql, null)];
  const table = `slices_${nextSlices++}`;
  const order = key.length === 0 ? "" : `ORDER BY ${columnList(key.map((name) => ({ name })))}`;
  try {
    await connection.run(
      `CREATE TABLE ${table} AS SELECT *, ntile(${slices}) OVER (${order}) AS agnes_slice FROM (${sql})`,
    );
    const written: StagedPart[] = [];
    for (let slice = 1; slice <= slices; slice++) {
      written.push(await writeSql(job, `SELECT ${list} FROM ${table} WHERE agnes_slice = ${slice}`, null));
    }
    return written;
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${table}`).catch(() => {});
  }
}

/** Writes the rows of a SELECT into one staged part. */
export function writeSql(
  job: TableJob,
  sql: string,
  origin: string | null,
  options: Pick<PartOptions, "ordered"> = {},
): Promise<StagedPart> {
  return writePart(job, { kind: "sql", sql }, { ...options, origin });
}

/** Counts the rows of a relation. */
async function countRows(connection: Connection, relation: string): Promise<number> {
  const [row] = await connection.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${relation}`);
  return Number(row?.n ?? 0n);
}

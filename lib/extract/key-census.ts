import { counted, throwIfAborted } from "../base/mod.ts";
import type { Connection } from "../duckdb/mod.ts";
import type { ReadResult, RowReject } from "../kit/mod.ts";
import type { PublishedColumn, PublishedTable } from "./format/extract-state.ts";
import { keysDirectory } from "./format/paths.ts";
import type { JobProgress, TableJob } from "./job/job.ts";
import type { TablePlan } from "./job/plan.ts";
import { partsRelation } from "./merge/candidates.ts";
import { applyDeletions } from "./merge/deletions.ts";
import { withoutNullKeys } from "./merge/null-keys.ts";
import type { ReadDecision } from "./read/decide.ts";
import { openRead } from "./read/open-read.ts";
import { columnsOf } from "./schema/column.ts";
import { evolve } from "./schema/evolve.ts";
import { keysMatch, readParquet } from "./schema/select.ts";
import { columnList } from "./schema/view.ts";
import { checkQuarantine, type Quarantine } from "./write/quarantine.ts";
import { discard, type StagedPart, type WrittenParts } from "./write/staged.ts";
import { writePart } from "./write/write-part.ts";
import { writeParts } from "./write/write-parts.ts";

/** The published rows that a source no longer has. */
export interface KeyCensus {
  readonly kind: "census";
  /** When the keys began to be read; absent if they were not. */
  readonly startedAt?: Date;
  /** The keys of the rows as deletions. */
  readonly gone: readonly StagedPart[];
  /** See `ReadResult`. */
  readonly tableRows?: number;
  readonly notes: readonly string[];
}

/** The reason to read the whole table instead, because the keys may not be complete. */
export interface CensusDoubt {
  readonly kind: "again";
  readonly reason: string;
}

/**
 * Reads all keys of a table before an incremental read, if a census is due, and finds the published rows that are not among
 * them.
 *
 * The keys are converted as those of rows are. Keys that do not fit and null keys fail the table, or count for the limit of
 * its quarantine. The quarantine is empty afterwards.
 *
 * @throws the errors of a read
 */
export async function takeCensus(
  job: TableJob,
  decision: ReadDecision,
  quarantine: Quarantine | null,
): Promise<KeyCensus | CensusDoubt> {
  const { plan, previous } = job;
  const { host, log } = job.run.services;
  const startedAt = host.now();
  const none = { kind: "census", gone: [], notes: [] } as const;
  if (previous === undefined || !isDue(plan, previous, decision, startedAt)) return none;
  const obstacle = obstacleOf(plan, previous);
  if (obstacle !== undefined) return { ...none, notes: [`key census: ${obstacle}, so none is made`] };
  if (previous.rows === 0) return { ...none, startedAt };
  log.info("reading all keys to find deleted rows", { table: plan.name });
  const found = await findGone(job, previous, quarantine);
  await quarantine?.reset();
  if ("reason" in found) return { kind: "again", ...found };
  return { kind: "census", startedAt, gone: found.gone, ...found.tableRows, notes: notesOf(found) };
}

function notesOf({ gone, rejected }: Exclude<Found, { reason: string }>): readonly string[] {
  const rows = gone.reduce((sum, part) => sum + part.rows, 0);
  const verb = rows === 1 ? "was" : "were";
  const result =
    rows === 0
      ? "all published rows are in the source"
      : `${counted(rows, "published row")} ${verb} not in the source and ${verb} deleted`;
  const ignored =
    rejected === 0 ? "" : `; ${counted(rejected, "key")} of the source did not fit and had no effect`;
  return [`key census: ${result}${ignored}`];
}

function isDue(
  { fullKeysMs, mode }: TablePlan,
  { loadedUntil, censusAt }: PublishedTable,
  { kind }: ReadDecision,
  now: Date,
): boolean {
  // A first load that is not complete is continued.
  if (fullKeysMs === undefined || mode !== "local" || kind !== "delta" || loadedUntil !== undefined)
    return false;
  if (censusAt === undefined) return true;
  const ageMs = now.getTime() - new Date(censusAt).getTime();
  // A time in the future is that of a wrong clock.
  return ageMs >= fullKeysMs || ageMs < 0;
}

function obstacleOf(plan: TablePlan, { parts }: PublishedTable): string | undefined {
  if (plan.primaryKey.length === 0) return "it has no primary key";
  // A changed or removed file replaces its rows at each read.
  if (parts.some(({ origin }) => origin !== null))
    return "its rows are tracked by file, which also removes rows";
  return undefined;
}

type Found =
  | {
      readonly gone: readonly StagedPart[];
      readonly rejected: number;
      readonly tableRows: Pick<ReadResult, "tableRows">;
    }
  | { readonly reason: string };

async function findGone(
  job: TableJob,
  previous: PublishedTable,
  quarantine: Quarantine | null,
): Promise<Found> {
  const { plan } = job;
  const onReject = quarantine === null ? null : (reject: RowReject) => quarantine.add(reject);
  const whole: ReadDecision = { kind: "whole", accept: false, notes: [] };
  const read = await openRead(keysJob(job), whole, onReject, keysDirectory(job.run.directory, plan.name));
  const working: TableJob = { ...keysJob(job), plan: read.plan };
  try {
    const columns = keyColumns(read.plan, previous);
    const written = await writeParts(working, read.reader, {
      columns,
      condition: null,
      originCondition: null,
      ordered: false,
      rowHash: null,
      isFinal: false,
      quarantine,
      limit: null,
    });
    throwIfAborted(job.signal, "the extraction");
    return await compare(working, previous, { written, end: read.reader.end, columns, quarantine });
  } finally {
    read.reader.close();
  }
}

/** Compares the keys that were read with those of the published rows. */
async function compare(
  job: TableJob,
  previous: PublishedTable,
  read: {
    readonly written: WrittenParts;
    readonly end: ReadResult;
    readonly columns: readonly PublishedColumn[];
    readonly quarantine: Quarantine | null;
  },
): Promise<Found> {
  const { written, end, columns, quarantine } = read;
  const rowsRead = written.rowsRead + (quarantine?.rows ?? 0);
  await using connection = await job.run.database.connect();
  const filled = await withoutNullKeys(job, connection, written.parts, columns, quarantine);
  checkQuarantine(quarantine, job.plan, { read: rowsRead, replaces: true });
  const { parts } = await applyDeletions(job, connection, filled, columns);
  const reason = doubtAbout(end, rowsRead, parts);
  if (reason !== null) {
    await discard(job.run, parts);
    return { reason };
  }
  const gone = await writeGone(job, connection, previous, parts, columns);
  await discard(job.run, parts);
  const tableRows = end.tableRows === undefined ? {} : { tableRows: end.tableRows };
  return { gone, rejected: quarantine?.rows ?? 0, tableRows };
}

/** Why the keys may not be all of the table; null if they are. A full read then decides. */
function doubtAbout(
  { unchanged, kept, tableRows }: ReadResult,
  rowsRead: number,
  parts: readonly StagedPart[],
): string | null {
  if (unchanged === true || kept !== undefined) return "its source did not list all of its keys";
  if (tableRows !== undefined && tableRows !== rowsRead)
    return `its source reports ${counted(tableRows, "row")}, but listed ${counted(rowsRead, "key")}`;
  // Deleting all rows requires more than the absence of keys.
  return parts.every(({ rows }) => rows === 0) ? "its source listed no keys" : null;
}

/** The number of keys to compare at once, for each megabyte of memory. */
const KEYS_PER_MB = 2000;
/** The memory for keys if there is no limit. */
const MEMORY_MB = 2048;

/** Writes the published keys that are not among those that were read. */
async function writeGone(
  job: TableJob,
  connection: Connection,
  { parts, schemas }: PublishedTable,
  read: readonly StagedPart[],
  columns: readonly PublishedColumn[],
): Promise<readonly StagedPart[]> {
  const list = columnList(columns);
  const published = partsRelation(job.run, parts, columns, schemas);
  const found = readParquet(read.map(({ path }) => path));
  const match = keysMatch(job.plan.primaryKey, "o", "k");
  const keysAtOnce = KEYS_PER_MB * (job.run.services.limits.memoryMb ?? MEMORY_MB);
  const slices = Math.ceil(read.reduce((sum, { rows }) => sum + rows, 0) / keysAtOnce);
  const gone: StagedPart[] = [];
  for (let slice = 0; slice < slices; slice += 1) {
    // Equal keys have equal hashes.
    const where = slices === 1 ? "" : ` WHERE hash(${list}) % ${slices} = ${slice}`;
    const sql =
      `SELECT ${list} FROM (SELECT ${list} FROM ${published}${where}) o ` +
      `ANTI JOIN (SELECT ${list} FROM ${found}${where}) k ON ${match}`;
    const part = await writePart(job, { kind: "sql", sql }, { kind: "deletions", connection });
    if (part.rows > 0) gone.push(part);
    else await discard(job.run, [part]);
  }
  return gone;
}

/** The key columns with types that hold the published values and those of the source. */
function keyColumns(
  { id, name, info, primaryKey }: TablePlan,
  previous: PublishedTable,
): readonly PublishedColumn[] {
  const isKey = ({ name: column }: PublishedColumn) => primaryKey.includes(column);
  const before = {
    columns: previous.columns.filter(isKey),
    sourceColumns: previous.sourceColumns.filter(isKey),
  };
  // The policy of the table applies to the read of the rows.
  const options = { id, policy: "evolve", accept: false, replaced: false } as const;
  return evolve(name, before, columnsOf(info.schema, primaryKey), options).columns;
}

/** The job of a read of the keys alone. */
function keysJob(job: TableJob): TableJob {
  const { cursor: _, filter: __, historyDays: ___, partitionBy: ____, ...plan } = job.plan;
  return {
    ...job,
    plan: { ...plan, strategy: "full_refresh", columns: plan.primaryKey },
    progress: keysProgress(job.progress),
  };
}

/** Reports only the phase, because the rows and bytes of the table are counted when it is read. */
function keysProgress(progress: JobProgress): JobProgress {
  return {
    read: () => {},
    readBytes: () => {},
    report: ({ phase }) => progress.report({ phase: phase === undefined ? "keys" : `keys: ${phase}` }),
    phase: () => {},
    window: () => {},
  };
}

/**
 * Adds the deletions of a census to a read. They come before its rows, so that a row that was deleted and inserted again
 * stays.
 */
export async function withCensus(
  job: TableJob,
  census: KeyCensus | undefined,
  staged: WrittenParts,
  end: ReadResult,
): Promise<{ readonly staged: WrittenParts; readonly end: ReadResult }> {
  const gone = census?.gone ?? [];
  if (gone.length === 0) return { staged, end };
  if (end.unchanged !== true) return { staged: { ...staged, parts: [...gone, ...staged.parts] }, end };
  await discard(job.run, staged.parts);
  const state = end.state ?? job.previous?.state;
  const tableRows = census?.tableRows;
  const known = {
    ...(state === undefined ? {} : { state }),
    ...(tableRows === undefined ? {} : { tableRows }),
  };
  return { staged: { ...staged, parts: gone }, end: known };
}

/** The time of the last read of all keys, to publish with a table. A full read is one, but not one in windows. */
export function censusTime(
  { plan, previous }: TableJob,
  { kind, window }: ReadDecision,
  { startedAt, census }: { readonly startedAt: Date; readonly census: KeyCensus | undefined },
): Pick<PublishedTable, "censusAt"> {
  const isCensus = kind === "whole" && window === undefined && plan.fullKeysMs !== undefined;
  const censusAt = isCensus
    ? startedAt.toISOString()
    : (census?.startedAt?.toISOString() ?? previous?.censusAt);
  return censusAt === undefined ? {} : { censusAt };
}

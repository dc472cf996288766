import { AgnesError, eachOf } from "../../base/mod.ts";
import { checkParquetInput, openFiles, parquetFooter, type ReadableChunk } from "../../duckdb/mod.ts";
import { partsDirectory } from "../format/paths.ts";
import type { TableJob } from "../job/job.ts";
import { selectList } from "../schema/select.ts";
import { discard, type StagedPart } from "./staged.ts";
import type { TakenSlices } from "./take-files.ts";
import { refuseDifferences } from "./write-file.ts";
import { checkCount, writePart } from "./write-part.ts";
import type { WriteTarget } from "./write-target.ts";

const FILES_AT_ONCE = 8;

/**
 * Copies slices, which are files without an origin, into one part. One query reads them, because each slice is too small
 * for more than one thread. Their rows keep their order only if the last row of a key wins.
 *
 * @returns `null` if they must be copied one by one: their columns differ, or one of them is invalid or unusual
 */
export async function writeSlices(
  job: TableJob,
  slices: TakenSlices,
  target: WriteTarget,
): Promise<StagedPart | null> {
  try {
    return await writeTogether(job, slices, target);
  } catch (error) {
    if (job.signal.aborted || !(error instanceof AgnesError) || error.code === "disk_full") throw error;
    job.run.services.log.debug("reading the files one by one", { table: job.plan.name, error });
    return null;
  }
}

async function writeTogether(
  job: TableJob,
  { pieces, sizeBytes }: TakenSlices,
  target: WriteTarget,
): Promise<StagedPart | null> {
  const { plan, signal, run } = job;
  const { files } = run.services.host;
  const chunks = pieces.map(({ chunk }) => chunk as ReadableChunk);
  const isParquet = chunks[0]!.format === "parquet";
  if (isParquet) await eachOf(chunks, FILES_AT_ONCE, ({ data }) => checkParquetInput(files, data));
  await using connection = await run.database.connect();
  const directory = partsDirectory(run.directory, plan.name);
  const opened = await openFiles(chunks, { connection, directory, signal });
  if (opened === null) return null;
  await using _ = opened;
  refuseDifferences(job, opened, pieces[0]!.number, isParquet);
  const { condition, columns, ordered } = target;
  const where = condition === null ? "" : ` WHERE ${condition}`;
  const sql = `SELECT ${selectList(columns, opened.present)} FROM (${opened.select})${where}`;
  const copying = writePart(
    job,
    { kind: "sql", sql },
    // An ordered copy takes a tenth more processor time, and holds the rows of each thread that is ahead of another.
    { ordered, largeRowGroups: isParquet && ordered, connection, target },
  );
  const [copied, held] = await Promise.allSettled([copying, opened.holds?.() ?? true]);
  if (copied.status === "rejected") throw copied.reason;
  const part = copied.value;
  try {
    if (held.status === "rejected") throw held.reason;
    if (!held.value) {
      await discard(run, [part]);
      return null;
    }
    job.progress.readBytes(sizeBytes);
    if (!isParquet) return part;
    const footers = await eachOf(chunks, FILES_AT_ONCE, ({ data }) => parquetFooter(files, data));
    const sourceRows = footers.reduce((sum, { rows }) => sum + rows, 0);
    if (condition !== null) return { ...part, rowsRead: sourceRows };
    checkCount(plan.name, sourceRows, part.rows, "what DuckDB wrote");
    return part;
  } catch (error) {
    await discard(run, [part]);
    throw error;
  }
}

import { AgnesError, redactValue } from "../../base/mod.ts";
import type { Batch, Deletions, ReadResult, ReadProgress, RowReject } from "../../kit/mod.ts";
import { answerBatches } from "../../sources/mod.ts";
import { readDirectory } from "../format/paths.ts";
import type { ReadDecision } from "./decide.ts";
import { namedColumns, publishedColumns, requestedColumns, type TablePlan } from "../job/plan.ts";
import type { TableJob } from "../job/job.ts";
import { BatchReader } from "./batch-reader.ts";
import { describeByRead } from "./first-batch.ts";
import { rangeOf, type ReadRange } from "./look-back.ts";

/** How many rows a batch should have: DuckDB takes them fastest so. */
const BATCH_ROWS = 8192;

/** A read that was begun. */
export interface OpenRead {
  readonly reader: BatchReader;
  /** The plan with the columns that the source really gives. */
  readonly plan: TablePlan;
  /** The rows that were asked for. */
  readonly range: ReadRange;
}

/**
 * Begins to read a table from its connector; close the reader at the end.
 *
 * @param onReject takes rows that do not fit; null: the first one fails the read
 */
export async function openRead(
  job: TableJob,
  decision: ReadDecision,
  onReject: ((reject: RowReject) => void) | null,
): Promise<OpenRead> {
  const range = await rangeOf(job, decision);
  const { signal, progress } = job;
  const { source, idleTimeoutMs } = job.run;
  let reader: BatchReader | null = null;
  const onProgress = (reported: ReadProgress) => {
    reader?.alive();
    progress.report(redactValue(reported, source.secrets ?? []));
  };
  const begun = await begin(job, decision, range, onProgress);
  const { name: table } = begun.plan;
  const onRows = (rows: number) => progress.read(rows, 0);
  reader = new BatchReader(begun.batches, { source: source.name, table, signal, idleTimeoutMs, onRows });
  try {
    const isDescribed = begun.plan.mode !== "local" || begun.plan.columnsFrom !== "read";
    const plan = isDescribed ? begun.plan : await describeByRead({ ...job, plan: begun.plan }, reader);
    reader.expect({
      table: { id: plan.id, name: plan.name, schema: plan.info.schema },
      primaryKey: plan.primaryKey,
      requested: requestedColumns(plan),
      batchRows: BATCH_ROWS,
      onReject,
    });
    return { plan, range, reader };
  } catch (error) {
    reader.close();
    throw error;
  }
}

async function begin(
  job: TableJob,
  decision: ReadDecision,
  { cursor, filter, window }: ReadRange,
  onProgress: (progress: ReadProgress) => void,
): Promise<{ plan: TablePlan; batches: AsyncIterable<Batch | Deletions, ReadResult | void> }> {
  const { plan, signal } = job;
  const { source } = job.run;
  const { connector } = source;
  if (plan.mode === "materialized") {
    if (connector.query === undefined) throw missing(job, "query");
    const answer = await connector.query(plan.query!, { signal });
    const { columns: _, filter: __, ...rest } = plan;
    return {
      plan: { ...rest, strategy: "full_refresh", info: { ...plan.info, schema: answer.schema } },
      batches: answerBatches(answer, { signal }) as AsyncIterable<Batch, ReadResult | void>,
    };
  }
  if (connector.read === undefined) throw missing(job, "read");
  const isKnown = plan.columnsFrom !== "read";
  const columns = isKnown ? requestedColumns(plan) : namedColumns(plan);
  const isAll = isKnown
    ? publishedColumns(plan).length === plan.info.schema.fields.length
    : plan.columns === undefined;
  const batches = connector.read(plan.info, {
    batchRows: BATCH_ROWS,
    signal,
    directory: readDirectory(job.run.directory, plan.name),
    onProgress,
    ...(isAll ? {} : { columns }),
    ...(filter.length === 0 ? {} : { filter }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(window === undefined ? {} : { window }),
    ...(plan.bucket === undefined ? {} : { bucket: plan.bucket }),
    ...(decision.state === undefined ? {} : { state: decision.state }),
  });
  return { plan, batches };
}

function missing({ plan, run: { source } }: TableJob, capability: string): AgnesError {
  return new AgnesError("table_plan_invalid", {
    table: plan.name,
    reason: `source ${source.name} cannot ${capability}`,
  });
}

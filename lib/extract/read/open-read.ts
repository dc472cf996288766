import { AgnesError, raceAbort, redactValue } from "../../base/mod.ts";
import type { Batch, Deletions, ReadResult, ReadProgress, RowReject } from "../../kit/mod.ts";
import { resultBatches } from "../../sources/mod.ts";
import { readDirectory } from "../format/paths.ts";
import type { ReadDecision } from "./decide.ts";
import { namedColumns, publishedColumns, requestedColumns, runsQuery, type TablePlan } from "../job/plan.ts";
import type { TableJob } from "../job/job.ts";
import { checkConditions } from "../schema/check-conditions.ts";
import { invalidAsNull } from "../schema/invalid-as-null.ts";
import { BatchReader } from "./batch-reader.ts";
import { describeByRead } from "./first-batch.ts";
import { rangeOf, type ReadRange } from "./lookback.ts";

/** Requested rows per batch: the size that DuckDB imports fastest. */
const BATCH_ROWS = 8192;

/** A started read. */
export interface OpenRead {
  readonly reader: BatchReader;
  /** The plan with the columns that the source yields. */
  readonly plan: TablePlan;
  /** The requested rows. */
  readonly range: ReadRange;
}

/**
 * Starts reading a table from its connector. Close the reader at the end.
 *
 * @param onReject receives invalid rows; null: the first one fails the read
 * @param directory the folder for files of the read. Default: that of the table
 */
export async function openRead(
  job: TableJob,
  decision: ReadDecision,
  onReject: ((reject: RowReject) => void) | null,
  directory: string = readDirectory(job.run.directory, job.plan.name),
): Promise<OpenRead> {
  const isDescribed = runsQuery(job.plan) || job.plan.columnsFrom !== "read";
  if (isDescribed) await checkConditions(job.run.database, job.plan);
  const range = await rangeOf(job, decision);
  const { signal, progress } = job;
  const { source, idleTimeoutMs } = job.run;
  let reader: BatchReader | null = null;
  const onProgress = (reported: ReadProgress) => {
    reader?.alive();
    progress.report(redactValue(reported, source.secrets ?? []));
  };
  const started = await start(job, decision, range, { directory, onProgress });
  const { name: table } = started.plan;
  const onRows = (rows: number) => progress.read(rows, 0);
  const onYield = () => progress.report({});
  const options = { source: source.name, table, signal, idleTimeoutMs, onRows, onYield };
  reader = new BatchReader(started.batches, options);
  try {
    const plan = isDescribed ? started.plan : await describeByRead({ ...job, plan: started.plan }, reader);
    reader.expect({
      table: { id: plan.id, name: plan.name, schema: plan.info.schema },
      primaryKey: plan.primaryKey,
      requested: requestedColumns(plan),
      batchRows: BATCH_ROWS,
      onReject,
      ...invalidAsNull(plan, job.nulled),
    });
    return { plan, range, reader };
  } catch (error) {
    reader.close();
    throw error;
  }
}

async function start(
  job: TableJob,
  decision: ReadDecision,
  { cursor, filter, window, changes }: ReadRange,
  passed: { readonly directory: string; readonly onProgress: (progress: ReadProgress) => void },
): Promise<{ plan: TablePlan; batches: AsyncIterable<Batch | Deletions, ReadResult | void> }> {
  const { plan, signal, onJob } = job;
  const { source } = job.run;
  const { connector } = source;
  if (runsQuery(plan)) {
    if (connector.query === undefined) throw missing(job, "query");
    const running = connector.query(plan.query!, { signal, isMaterialized: true, onJob });
    // A connector may ignore the signal.
    const result = await raceAbort(running, signal, "the extraction");
    const { columns: _, filter: __, ...rest } = plan;
    return {
      plan: { ...rest, strategy: "full_refresh", info: { ...plan.info, schema: result.schema } },
      batches: resultBatches(result, { signal }) as AsyncIterable<Batch, ReadResult | void>,
    };
  }
  if (connector.read === undefined) throw missing(job, "read");
  const isKnown = plan.columnsFrom !== "read";
  const columns = isKnown ? requestedColumns(plan) : namedColumns(plan);
  const isAll = isKnown
    ? publishedColumns(plan).length === plan.info.schema.fields.length
    : plan.columns === undefined;
  const state = changes === undefined ? decision.state : decision.keptState;
  const hasFields = Object.keys(plan.sourceQuery ?? {}).length > 0;
  const batches = connector.read(plan.info, {
    batchRows: BATCH_ROWS,
    signal,
    onJob,
    ...passed,
    ...(isAll ? {} : { columns }),
    ...(filter.length === 0 ? {} : { filter }),
    ...(plan.limit === undefined ? {} : { limit: plan.limit }),
    ...(hasFields ? { sourceQuery: plan.sourceQuery! } : {}),
    ...(cursor === undefined ? {} : { cursor }),
    ...(window === undefined ? {} : { window }),
    ...(changes === undefined ? {} : { changes }),
    ...(plan.bucket === undefined ? {} : { bucket: plan.bucket }),
    ...(state === undefined ? {} : { state }),
    ...(decision.kind === "delta" ? { isDelta: true } : {}),
    ...(isByOrigin(plan) ? { byOrigin: true } : {}),
  });
  return { plan, batches };
}

/** Whether later reads of a table may keep the rows of unchanged origins, although it is not made of files. */
function isByOrigin({ strategy, cursor, limit, columnsFrom }: TablePlan): boolean {
  return strategy === "incremental" && cursor === undefined && limit === undefined && columnsFrom !== "read";
}

function missing({ plan, run: { source } }: TableJob, capability: string): AgnesError {
  return new AgnesError("table_plan_invalid", {
    id: plan.id,
    table: plan.name,
    reason: `source ${source.name} does not support ${capability}`,
  });
}

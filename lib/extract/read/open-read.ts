import { AgnesError } from "../../base/mod.ts";
import type { Batch, Deletions, ReadEnd, ReadProgress } from "../../kit/mod.ts";
import type { ReadDecision } from "../decide.ts";
import { readDirectory } from "../publish/paths.ts";
import { namedColumns, publishedColumns, requestedColumns, type TablePlan } from "../plan.ts";
import type { TableContext } from "../services.ts";
import type { Quarantine } from "../write/quarantine.ts";
import { BatchSource } from "./batch-source.ts";
import { describeByRead, type DescribedRead } from "./first-batch.ts";
import { rangeOf, type ReadRange } from "./look-back.ts";
import { openTap, type Tap } from "./tap.ts";

/** How many rows a batch should have: DuckDB takes them fastest so. */
const BATCH_ROWS = 8192;

/** A read that was begun. */
export interface OpenRead {
  readonly source: BatchSource;
  readonly tap: Tap;
  /** The plan with the columns that the source really gives. */
  readonly plan: TablePlan;
  /** The rows that were asked for. */
  readonly range: ReadRange;
}

/** Begins to read a table from its connector; close the tap at the end. */
export async function openRead(
  context: TableContext,
  decision: ReadDecision,
  quarantine: Quarantine | null,
): Promise<OpenRead> {
  const range = await rangeOf(context, decision);
  const { source, signal, idleTimeoutMs } = context;
  let onAlive = () => {};
  const onProgress = (progress: ReadProgress) => {
    onAlive();
    context.onReadProgress(progress);
  };
  const begun = await begin(context, decision, range, onProgress);
  const opened = openTap(begun.batches, {
    source: source.name,
    table: begun.plan.name,
    signal,
    idleTimeoutMs,
  });
  onAlive = () => opened.alive();
  const { plan, tap } = await described({ ...context, plan: begun.plan }, opened);
  let rows = 0;
  return {
    plan,
    range,
    tap,
    source: new BatchSource(tap, {
      table: { id: plan.id, name: plan.name, schema: plan.info.schema },
      primaryKey: plan.primaryKey,
      requested: requestedColumns(plan),
      batchRows: BATCH_ROWS,
      onRows: (taken) => context.onRead((rows += taken), 0),
      ...(quarantine === null ? {} : { onReject: (reject) => quarantine.add(reject) }),
    }),
  };
}

/** The read with its columns known: those of the plan, or those of its first batch. */
async function described(context: TableContext, tap: Tap): Promise<DescribedRead> {
  if (context.plan.mode !== "local" || context.plan.columnsFrom !== "read")
    return { plan: context.plan, tap };
  try {
    return await describeByRead(context, tap);
  } catch (error) {
    tap.close();
    throw error;
  }
}

async function begin(
  context: TableContext,
  decision: ReadDecision,
  { cursor, filter }: ReadRange,
  onProgress: (progress: ReadProgress) => void,
): Promise<{ plan: TablePlan; batches: AsyncIterable<Batch | Deletions, ReadEnd | void> }> {
  const { plan, source, signal } = context;
  const { connector } = source;
  if (plan.mode === "materialized") {
    if (connector.query === undefined) throw missing(context, "query");
    const answer = await connector.query(plan.query!, { signal });
    const { columns: _, filter: __, ...rest } = plan;
    return {
      plan: { ...rest, strategy: "full_refresh", info: { ...plan.info, schema: answer.schema } },
      batches: answer.batches as AsyncIterable<Batch, ReadEnd | void>,
    };
  }
  if (connector.read === undefined) throw missing(context, "read");
  const isKnown = plan.columnsFrom !== "read";
  const columns = isKnown ? requestedColumns(plan) : namedColumns(plan);
  const isAll = isKnown
    ? publishedColumns(plan).length === plan.info.schema.fields.length
    : plan.columns === undefined;
  const batches = connector.read(plan.info, {
    batchRows: BATCH_ROWS,
    signal,
    directory: readDirectory(context.directory, plan.name),
    onProgress,
    ...(isAll ? {} : { columns }),
    ...(filter.length === 0 ? {} : { filter }),
    ...(cursor === undefined ? {} : { cursor }),
    ...(decision.state === undefined ? {} : { state: decision.state }),
  });
  return { plan, batches };
}

function missing({ plan, source }: TableContext, capability: string): AgnesError {
  return new AgnesError("table_plan_invalid", {
    table: plan.name,
    reason: `source ${source.name} cannot ${capability}`,
  });
}

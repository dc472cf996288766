import { definitionOf } from "../job/definition.ts";
import type { JsonValue } from "../../kit/mod.ts";
import type { LoadWindow } from "../job/load-windows.ts";
import type { TablePlan } from "../job/plan.ts";
import { isStricter } from "../job/rejecting.ts";
import { columnsOf } from "../schema/column.ts";
import { hasOtherOptions, sameReading } from "../schema/reading.ts";
import type { PublishedColumn, PublishedTable } from "../format/extract-state.ts";

/** How to read a table. */
export interface ReadDecision {
  /** `whole`: the rows read replace the table; `delta`: they are merged into it. */
  readonly kind: "whole" | "delta";
  readonly cursor?: PublishedTable["cursor"];
  readonly state?: JsonValue;
  /** The window of a first load to read; absent: the whole table, or new rows. */
  readonly window?: LoadWindow;
  /** In a window: the state that the first window returned. It is passed to the connector only in a window of changes. */
  readonly keptState?: JsonValue;
  /** Whether to adopt the layout of the source regardless of the published one. */
  readonly accept: boolean;
  /** Whether to publish even if the rows are unchanged, because the parts must be rewritten. */
  readonly publishes?: true;
  readonly notes: readonly string[];
}

/** Whether the cursor column sorts differently than the published one, for example as text instead of numbers. */
function hasOtherOrder({ cursor, info, mode }: TablePlan, { columns }: PublishedTable): boolean {
  const orderIn = (list: readonly PublishedColumn[]) => {
    const type = list.find(({ name }) => name === cursor)?.type;
    if (type === undefined) return undefined;
    return /INT|^(FLOAT|DOUBLE|DECIMAL)/.test(type)
      ? "number"
      : /^(DATE|TIMESTAMP)/.test(type)
        ? "time"
        : type;
  };
  const [was, is] = [orderIn(columns), mode === "local" ? orderIn(columnsOf(info.schema)) : undefined];
  return was !== undefined && is !== undefined && was !== is;
}

/** Decides how to read a table. */
export function decideRead(
  plan: TablePlan,
  previous: PublishedTable | undefined,
  options: { readonly full: boolean; readonly partsMissing: boolean; readonly isReadAgain?: boolean },
): ReadDecision {
  const fullRead = (notes: readonly string[], accept: boolean): ReadDecision => ({
    kind: "whole",
    accept,
    notes,
  });
  if (previous === undefined || previous.parts.length === 0) return fullRead([], true);
  if (options.full) return fullRead([], true);
  if (options.isReadAgain === true)
    return fullRead(["a deletion arrived while it was read, so the table was read in full"], false);
  if (options.partsMissing)
    return { ...fullRead(["parts were missing, so the table was read in full"], false), publishes: true };
  if (previous.definition !== definitionOf(plan)) {
    return fullRead(
      ["its configuration or the merge rules of Agnes changed, so the table was read in full"],
      plan.schemaPolicy === "evolve",
    );
  }
  if (previous.rejecting !== undefined && isStricter(plan, previous.rejecting)) {
    const rules =
      previous.rejecting.maxPercent === undefined
        ? "values that do not fit were set to null"
        : "rows were rejected under looser quarantine rules";
    const notes = [`${rules}, so the table was read in full`];
    return { ...fullRead(notes, false), publishes: true };
  }
  if (!sameReading(previous.reading, plan.info.reading)) {
    // Earlier versions did not record how files were read. Changed options are intended, so their layout is accepted.
    const accept = previous.reading === undefined || hasOtherOptions(previous.reading, plan.info.reading);
    return fullRead(
      ["its files are now read differently, so the table was read in full"],
      accept && plan.schemaPolicy === "evolve",
    );
  }
  const state = previous.state === undefined ? {} : { state: previous.state };
  if (plan.strategy === "full_refresh") return { kind: "whole", ...state, accept: false, notes: [] };
  // The first load is not complete, so its remaining windows are read first.
  if (previous.loadedUntil !== undefined) {
    if (plan.cursor !== undefined || plan.info.changesFrom !== undefined)
      return { kind: "delta", accept: false, notes: [] };
    return fullRead(["its source cannot read the rest in windows, so the table was read in full"], false);
  }
  const hasCursor = plan.cursor !== undefined && previous.cursor?.column === plan.cursor;
  if (hasCursor && hasOtherOrder(plan, previous)) {
    const notes = [
      `the sort order of its cursor column ${plan.cursor} changed with its type, so the table was read in full`,
    ];
    return fullRead(notes, plan.schemaPolicy === "evolve");
  }
  // Without a cursor and a state the source yields all rows, and merging them would never remove deleted rows.
  if (!hasCursor && previous.state === undefined) return { kind: "whole", accept: false, notes: [] };
  return {
    kind: "delta",
    ...(hasCursor ? { cursor: previous.cursor! } : {}),
    ...state,
    accept: false,
    notes: plan.primaryKey.length === 0 ? ["it has no primary key, so new rows are appended"] : [],
  };
}

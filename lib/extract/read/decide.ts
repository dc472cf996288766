import { definitionOf } from "../job/definition.ts";
import type { JsonValue } from "../../kit/mod.ts";
import type { LoadWindow } from "../job/load-windows.ts";
import type { TablePlan } from "../job/plan.ts";
import { isStricter } from "../job/rejecting.ts";
import { columnsOf } from "../schema/column.ts";
import { hasOtherOptions, sameReading } from "../schema/reading.ts";
import type { PublishedColumn, PublishedTable } from "../format/extract-state.ts";

/** How a table is to be read this time. */
export interface ReadDecision {
  /** `whole`: what comes is the table; `delta`: what comes is merged into it. */
  readonly kind: "whole" | "delta";
  readonly cursor?: PublishedTable["cursor"];
  readonly state?: JsonValue;
  /** Which window of a first load is read; absent: all of the table, or what is new. */
  readonly window?: LoadWindow;
  /** In a window: the state that earlier windows of this read returned, which is not given to the connector. */
  readonly keptState?: JsonValue;
  /** Whether the layout of the source is taken as it is, whatever it was before. */
  readonly accept: boolean;
  /** Whether what is read is published even when it is what is published: its parts have to be written again. */
  readonly publishes?: true;
  readonly notes: readonly string[];
}

/** Whether the cursor column orders its values in another way than the published one: as text, say, and no longer as numbers. */
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

/** Decides how to read a table from what is published of it. */
export function decideRead(
  plan: TablePlan,
  previous: PublishedTable | undefined,
  options: { readonly full: boolean; readonly partsMissing: boolean },
): ReadDecision {
  const anew = (notes: readonly string[], accept: boolean): ReadDecision => ({
    kind: "whole",
    accept,
    notes,
  });
  if (previous === undefined || previous.parts.length === 0) return anew([], true);
  if (options.full) return anew([], true);
  if (options.partsMissing)
    return { ...anew(["parts were missing, so all of it was read"], false), publishes: true };
  if (previous.definition !== definitionOf(plan)) {
    return anew(
      ["its configuration, or how Agnes merges it, changed, so all of it was read"],
      plan.schemaPolicy === "evolve",
    );
  }
  if (previous.rejecting !== undefined && isStricter(plan, previous.rejecting)) {
    const notes = ["rows were rejected by looser rules than those it has now, so all of it was read"];
    return { ...anew(notes, false), publishes: true };
  }
  if (!sameReading(previous.reading, plan.info.reading)) {
    // A table of an earlier version does not say how it was read, and who changed the options wants what they give.
    const accept = previous.reading === undefined || hasOtherOptions(previous.reading, plan.info.reading);
    return anew(
      ["how its files are read changed, so all of it was read"],
      accept && plan.schemaPolicy === "evolve",
    );
  }
  const state = previous.state === undefined ? {} : { state: previous.state };
  if (plan.strategy === "full_refresh") return { kind: "whole", ...state, accept: false, notes: [] };
  // What is new comes after the first load: the rest of it is read by windows.
  if (previous.loadedUntil !== undefined) return { kind: "delta", accept: false, notes: [] };
  const hasCursor = plan.cursor !== undefined && previous.cursor?.column === plan.cursor;
  if (hasCursor && hasOtherOrder(plan, previous)) {
    const notes = [
      `the order of its cursor column ${plan.cursor} changed with its type, so all of it was read`,
    ];
    return anew(notes, plan.schemaPolicy === "evolve");
  }
  // Without anything to start from the source gives all it has; merging that could never remove a row.
  if (!hasCursor && previous.state === undefined) return { kind: "whole", accept: false, notes: [] };
  return {
    kind: "delta",
    ...(hasCursor ? { cursor: previous.cursor! } : {}),
    ...state,
    accept: false,
    notes: plan.primaryKey.length === 0 ? ["it has no primary key, so new rows are appended"] : [],
  };
}

import type { ReadResult } from "../kit/mod.ts";
import type { ReadDecision } from "./read/decide.ts";
import type { TablePlan } from "./job/plan.ts";
import type { StagedPart } from "./write/staged.ts";

/** Notes for the owner of a table about an incremental read. */
export function readNotes(
  { id, strategy, primaryKey, cursor }: TablePlan,
  { kind }: ReadDecision,
  parts: readonly StagedPart[],
  end: ReadResult,
): readonly string[] {
  // Rows of an origin replace its earlier rows.
  const isAppended = parts.some((part) => part.kind === "staged" && part.origin === null && part.rows > 0);
  if (kind === "delta" && primaryKey.length === 0 && isAppended) {
    return ["it has no primary key, so new rows are appended"];
  }
  const hasNoStart = cursor === undefined && end.state === undefined && end.kept === undefined;
  if (strategy === "incremental" && kind === "whole" && hasNoStart) {
    return [
      `it has no cursor column, so each sync reads the whole table; set one with \`agnes table update ${id} --incremental-column COLUMN\``,
    ];
  }
  return [];
}

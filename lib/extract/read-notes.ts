import type { ReadResult } from "../kit/mod.ts";
import type { ReadDecision } from "./read/decide.ts";
import type { TablePlan } from "./job/plan.ts";
import type { StagedPart } from "./write/staged.ts";

/** What the owner of a table should know of how an incremental read went, by what came. */
export function readNotes(
  { id, strategy, primaryKey, cursor }: TablePlan,
  { kind }: ReadDecision,
  parts: readonly StagedPart[],
  end: ReadResult,
): readonly string[] {
  // Rows of an origin replace those that it gave before.
  const isAppended = parts.some((part) => part.kind === "staged" && part.origin === null && part.rows > 0);
  if (kind === "delta" && primaryKey.length === 0 && isAppended) {
    return ["it has no primary key, so new rows are appended"];
  }
  const startsNowhere = cursor === undefined && end.state === undefined && end.kept === undefined;
  if (strategy === "incremental" && kind === "whole" && startsNowhere) {
    return [
      `it has no cursor column, so each sync reads all of it; \`agnes table update ${id} --incremental-column COLUMN\` sets one`,
    ];
  }
  return [];
}

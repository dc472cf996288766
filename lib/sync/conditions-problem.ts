import { isAgnesError, type AgnesError, type Host } from "../base/mod.ts";
import { openDatabase } from "../duckdb/mod.ts";
import { checkConditions } from "../extract/mod.ts";
import type { AnyPlugin, TableInfo } from "../kit/mod.ts";
import type { TableRecord } from "../tables/mod.ts";
import { planSource } from "./plan.ts";

/**
 * Returns the error with which a sync fails because of the conditions or the JSON query of a table; null if there is none.
 *
 * @param discovered the tables of its source
 */
export async function conditionsProblem(
  host: Pick<Host, "files" | "now">,
  record: TableRecord,
  discovered: readonly TableInfo[],
  plugin: Pick<AnyPlugin, "name" | "sourceQuery">,
): Promise<AgnesError | null> {
  if (record.queryMode === "remote") return null;
  const [plan] = planSource([record], discovered, host.now(), plugin).tables;
  if (plan === undefined) return null;
  const { problem } = plan.info;
  if (problem !== undefined) return isAgnesError(problem, "source_query_invalid") ? problem : null;
  if ((plan.filter ?? []).length === 0) return null;
  await using database = await openDatabase({ files: host.files });
  try {
    await checkConditions(database, plan);
    return null;
  } catch (error) {
    if (isAgnesError(error, "table_plan_invalid")) return error;
    throw error;
  }
}

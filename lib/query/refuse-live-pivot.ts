import { AgnesError } from "../base/mod.ts";
import type { Lease } from "./run.ts";

/**
 * The columns of a PIVOT without values depend on its rows, and EXPLAIN reads no rows of remote systems.
 * @throws `sql_not_allowed`
 */
export function refuseLivePivot({ remotes }: Lease): void {
  const live = remotes().find(({ accessMode }) => accessMode === "live");
  if (live === undefined) return;
  throw new AgnesError("sql_not_allowed", {
    reason: `EXPLAIN cannot read the live table ${live.id}, whose values are the columns of its PIVOT`,
    advice: "List the values: PIVOT table ON column IN ('a', 'b').",
  });
}

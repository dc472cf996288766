import { AgnesError, isAgnesError, messageOf } from "../../base/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";
import { stuckCalls } from "./bounded.ts";

/**
 * A view that DuckDB cannot be stopped from making holds a thread of the pool; one is all that may be lost.
 * @throws `duckdb_stuck`
 */
export function refuseWhenStuck(path: string): void {
  const calls = stuckCalls();
  if (calls > 0)
    throw new AgnesError("duckdb_stuck", { what: `checking the views of the extract ${path}`, calls });
}

/**
 * Makes a view where nothing else is open. DuckDB calls functions with constant arguments while it makes a view, so
 * this can take for ever or bring the instance down.
 *
 * @returns why the view cannot be made, or null
 * @throws `extract_refused` when the instance is of no use any more; `timed_out`
 */
export async function tryView(
  connection: Connection,
  path: string,
  definition: string,
  signal: AbortSignal,
): Promise<AgnesError | null> {
  try {
    await connection.run(`CREATE OR REPLACE TEMP VIEW tried AS ${definition}`, { signal });
    return null;
  } catch (error) {
    if (!isAgnesError(error) || signal.aborted) throw error;
    await connection.run("SELECT 1", { signal }).catch((fatal: unknown) => {
      if (signal.aborted) throw fatal;
      const reason = `one of its views causes a fatal error in DuckDB: ${messageOf(error)}`;
      throw new AgnesError("extract_refused", { path, reason }, { cause: fatal });
    });
    return error;
  }
}

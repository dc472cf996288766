import { AgnesError, isAgnesError, messageOf } from "../../base/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";
import { stuckCalls } from "./bounded.ts";

/**
 * Rejects further checks of views while one is stuck: an uninterruptible check occupies a thread of the pool.
 * @throws `duckdb_stuck`
 */
export function rejectWhenStuck(path: string): void {
  const calls = stuckCalls();
  if (calls > 0)
    throw new AgnesError("duckdb_stuck", { what: `checking the views of the extract ${path}`, calls });
}

/**
 * Creates a view in an isolated instance. DuckDB evaluates functions with constant arguments when it creates a view, so
 * this may never return, or crash the instance.
 *
 * @returns the reason why the view cannot be created, or null
 * @throws `extract_refused` if the instance is unusable afterwards; `timed_out`
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

import { throwIfAborted } from "../../base/mod.ts";
import type { Connection } from "../../duckdb/mod.ts";

/** One view to create. */
export interface ViewStatement {
  readonly id: string;
  readonly sql: string;
}

/** Views per transaction: each commit costs a write, and each failure a transaction. */
const BATCH = 256;

/**
 * Creates views independently: a failure does not affect the other views.
 * @returns the reasons of the failed views
 */
export async function createViews(
  connection: Connection,
  views: readonly ViewStatement[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, unknown>> {
  const failures = new Map<string, unknown>();
  for (let from = 0; from < views.length; from += BATCH) {
    await createSome(connection, views.slice(from, from + BATCH), failures, signal);
  }
  return failures;
}

/** Bisects a failed batch until the failing view is isolated. */
async function createSome(
  connection: Connection,
  views: readonly ViewStatement[],
  failures: Map<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfAborted(signal, "the rebuild of analytics");
  try {
    await connection.run("BEGIN");
    await connection.run(views.map(({ sql }) => `${sql};`).join("\n"));
    await connection.run("COMMIT");
  } catch (error) {
    await connection.run("ROLLBACK");
    if (views.length === 1) {
      failures.set(views[0]!.id, error);
      return;
    }
    const half = Math.ceil(views.length / 2);
    await createSome(connection, views.slice(0, half), failures, signal);
    await createSome(connection, views.slice(half), failures, signal);
  }
}

import type * as arrow from "apache-arrow";

import type { Connection } from "./connection.ts";

/** Returns the Arrow schema of a query without running it. */
export async function describeQuery(
  connection: Connection,
  sql: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<arrow.Schema> {
  const { schema, batches } = await connection.stream(`SELECT * FROM (${sql}\n) LIMIT 0`, options);
  for await (const _batch of batches) break;
  return schema;
}

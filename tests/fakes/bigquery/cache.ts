import type { JobBody } from "./jobs.ts";
import type { FakeTable } from "./types.ts";

/** The queries whose results BigQuery still has. */
export class ResultCache {
  readonly #known = new Set<string>();

  /** Whether the result of a query is in the cache. */
  has(body: JobBody, tables: readonly FakeTable[]): boolean {
    return isCacheable(body, tables) && this.#known.has(keyOf(body));
  }

  /** Keeps the result of a query for the same text and parameters. */
  add(body: JobBody, tables: readonly FakeTable[]): void {
    if (isCacheable(body, tables)) this.#known.add(keyOf(body));
  }
}

const keyOf = ({ configuration: { query } }: JobBody): string =>
  JSON.stringify([query.query, query.queryParameters]);

/** Not for wildcard tables, streaming buffers, external tables, row access policies and metadata. */
function isCacheable({ configuration }: JobBody, tables: readonly FakeTable[]): boolean {
  const { query } = configuration.query;
  return (
    !query.includes("*`") &&
    !query.includes("INFORMATION_SCHEMA") &&
    tables.every(
      ({ resource, rowPolicy }) =>
        resource?.["streamingBuffer"] === undefined &&
        resource?.["type"] !== "EXTERNAL" &&
        rowPolicy === undefined,
    )
  );
}

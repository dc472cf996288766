import type { Row } from "agnes/kit";

import type { BigQueryApi } from "./api.ts";
import { errors } from "./errors.ts";
import type { TablePath } from "./names.ts";
import { resultPageSchema, type Field } from "./schemas.ts";
import { needsTextTimestamps, rowDecoder } from "./values.ts";

const POLL_PAUSE_MS = 200;

/** The result of a query. */
export interface QueryResult {
  readonly fields: readonly Field[];
  readonly totalRows: number;
  /** When BigQuery received the job, in milliseconds since 1970. */
  readonly startedMs: number | undefined;
  readonly billedBytes: number | undefined;
  readonly job: string;
  /** The table that has the rows; undefined if it is not known. */
  readonly destination: TablePath | undefined;
  /** Yields all rows, or throws. */
  rows(batchRows: number): AsyncGenerator<readonly Row[], void, void>;
}

/** A finished job whose result is read. */
interface ResultRequest {
  /** The path of `jobs.getQueryResults`. */
  readonly path: string;
  readonly job: string;
  readonly startedMs: number | undefined;
  readonly billedBytes: number | undefined;
  readonly destination: TablePath | undefined;
  readonly location: string | undefined;
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Returns the columns of a result and how to read its rows, page by page. */
export async function resultOf(api: BigQueryApi, request: ResultRequest): Promise<QueryResult> {
  const { path, job, location, what, signal, timeoutMs } = request;
  const page = { schema: resultPageSchema, what, signal };
  const described = await api
    .poll(path, {
      ...page,
      query: { location, maxResults: 0 },
      isDone: ({ jobComplete }) => jobComplete,
      pauseMs: POLL_PAUSE_MS,
      timeoutMs,
    })
    .catch((error: unknown) => {
      throw api.failure(error, { what, job });
    });
  const { schema, totalRows } = described;
  if (schema === undefined || totalRows === undefined)
    throw errors.request_refused({ what, reason: "its result has no columns or no number of rows" });
  const { fields } = schema;
  // As a number a timestamp loses its last digits.
  const format = needsTextTimestamps(fields)
    ? { "formatOptions.timestampOutputFormat": "ISO8601_STRING" }
    : { "formatOptions.useInt64Timestamp": true };
  return {
    fields,
    totalRows,
    startedMs: request.startedMs,
    billedBytes: request.billedBytes,
    job,
    destination: request.destination,
    async *rows(batchRows) {
      const decode = rowDecoder(fields, what);
      let count = 0;
      try {
        for await (const { rows } of api.pages(path, { ...page, query: { location, ...format } })) {
          count += rows.length;
          for (let at = 0; at < rows.length; at += batchRows) yield decode(rows.slice(at, at + batchRows));
        }
      } catch (error) {
        throw api.failure(error, { what, job });
      }
      if (count !== totalRows) throw errors.result_incomplete({ job, rows: count, totalRows });
    },
  };
}

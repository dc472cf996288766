import { AgnesError, createHost, formatValue, raceAbort, writeOutput, type Host } from "./base/mod.ts";
import { resultFormats, writeResult as writeTo, type ResultFormat } from "./duckdb/mod.ts";
import type { QueryResult } from "./query/mod.ts";

/** The format and target of `writeResult`. */
export interface WriteResultOptions {
  /** The format of the bytes; see `writeResult`. */
  readonly format: ResultFormat;
  /** A path to write the file to, or a function that receives the bytes and resolves when it can take more. */
  readonly to: string | ((bytes: Uint8Array) => Promise<void> | void);
  /** Stops writing; an existing file then stays unchanged. Default: none. */
  readonly signal?: AbortSignal;
  /** Replaces parts of the environment, such as the file system; see `AgnesOptions`. Default: the real one. */
  readonly host?: Partial<Host>;
}

/**
 * Writes the result of a query to a file or a stream, in bounded memory.
 *
 * A file is replaced by one rename after the last row, so a query that fails leaves an existing file unchanged. Links are
 * followed; devices and pipes are written to directly. A result can be read once, and is closed at the end.
 *
 * - `json`: one array of objects. `ndjson`: one object per line. Whole numbers and decimals are numbers if a double
 *   represents them exactly, otherwise strings; dates and times are ISO 8601, with a time zone in UTC; bytes are base64.
 * - `csv`: RFC 4180, UTF-8, lines end with LF, with a header. An empty field is null.
 * - `arrow`: the Arrow IPC stream format. `parquet`: Apache Parquet.
 *
 * In `json`, `ndjson`, `arrow` and `parquet`, a repeated column name gets a suffix such as `_1`.
 *
 * @throws `invalid_input`, `aborted`, `disk_full`, `file_failed`, the errors of `query`, and `batch_malformed` for values that Arrow or
 *   Parquet cannot represent: the time 24:00:00, and HUGEINT values of more than 38 digits
 *
 * @example
 * ```ts
 * import { createAgnes, writeResult } from "agnes";
 *
 * await using agnes = await createAgnes({ plugins: [] });
 * await writeResult(await agnes.query("SELECT 42 AS answer"), { format: "parquet", to: "answer.parquet" });
 * ```
 */
export async function writeResult(result: QueryResult, options: WriteResultOptions): Promise<void> {
  const { format, to, signal } = options;
  if (!resultFormats.includes(format)) {
    const reason = `${formatValue(format)} is none of ${resultFormats.join(", ")}`;
    throw new AgnesError("invalid_input", { what: "the format of a result", reason });
  }
  const host = createHost(options.host);
  const common = { format, files: host.files, ...(signal && { signal }) };
  try {
    if (typeof to === "string")
      await writeOutput(host, to, (path, isFile) => writeTo(result, { ...common, path, isFile }));
    else {
      const write = async (bytes: Uint8Array) => {
        const writing = Promise.resolve(to(bytes));
        await (signal === undefined ? writing : raceAbort(writing, signal, "writing a result"));
      };
      await writeTo(result, { ...common, write });
    }
  } finally {
    // A result whose target was refused still holds its connection; one that has another reader stays open.
    await result.batches[Symbol.asyncIterator]().return?.();
  }
}

import { RecordBatchReader, type RecordBatch } from "apache-arrow";

import { AgnesError, createHost, isAgnesError, messageOf, writeOutput } from "../../lib/base/mod.ts";
import type { QueryResult, Receipt } from "../../lib/query/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { splitCompression, writePieces } from "../results/output-file.ts";
import { printResult, type PrintFormat } from "../results/print-result.ts";
import { plural } from "../terminal/figures.ts";
import { errorOf, type ServerBytes, type ServerClient } from "./client.ts";

/** A query for a server. */
interface ServerQuery {
  readonly sql: string;
  readonly maxRows?: number;
}

/** What this command reads of the receipt. */
interface ServerReceipt {
  readonly rows?: number;
  readonly truncated?: boolean;
}

/** Runs a query on a server and prints its rows as `printResult`, or writes them to a file. */
export async function printServerQuery(
  cli: Cli,
  server: ServerClient,
  query: ServerQuery,
  options: { readonly format: PrintFormat; readonly output?: string },
): Promise<void> {
  const { format, output } = options;
  // The server's JSON has another form, for exact column types.
  const isDecoded = format === "table" || format === "json";
  const began = performance.now();
  const { sql, maxRows } = query;
  const { headers, bytes: received } = await server.bytes(
    `/api/query?format=${isDecoded ? "arrow" : format}`,
    {
      json: { sql, ...(maxRows !== undefined && { limit: maxRows }) },
    },
  );
  const response = { headers, bytes: withCause(server, headers, received) };
  const finish = () => receiptOf(cli, server, headers);
  if (isDecoded) return printResult(cli, await decoded(server, response, began, finish), options);
  if (output === undefined) for await (const piece of response.bytes) await cli.print(piece);
  else {
    const { compression } = splitCompression(output);
    await writeOutput(createHost(), output, (path) => writePieces(path, response.bytes, compression));
  }
  const { rows = 0, truncated } = await finish();
  if (truncated === true)
    cli.warn(`only the first ${plural(rows, "row")} are included; use --limit for more`);
}

/** The bytes of a response. If the connection breaks, they fail with the error of the query, if the server has it. */
async function* withCause(
  server: ServerClient,
  headers: Headers,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* bytes;
  } catch (error) {
    const id = headers.get("x-agnes-query-id");
    if (id === null || !isAgnesError(error, "server_unreachable")) throw error;
    const state = await server.text(statePath(id)).catch(() => null);
    throw (state !== null && failureIn(server.address, state)) || error;
  }
}

function statePath(id: string): string {
  return `/api/queries/${encodeURIComponent(id)}`;
}

/** The error in the state of a query; null: it has none. */
function failureIn(server: string, state: string): AgnesError | null {
  const error = errorOf(server, 200, state);
  return isAgnesError(error, "server_response_invalid") ? null : error;
}

/** The rows of a response in Arrow as a result. */
async function decoded(
  server: ServerClient,
  { bytes }: ServerBytes,
  began: number,
  finish: () => Promise<ServerReceipt>,
): Promise<QueryResult> {
  const broken = (error: unknown) => {
    if (isAgnesError(error)) return error;
    const details = { server: server.address, httpStatus: 200, reason: `is not Arrow: ${messageOf(error)}` };
    return new AgnesError("server_response_invalid", details, { cause: error });
  };
  const totals = { rows: 0, sizeBytes: 0, elapsedMs: 0, truncated: false };
  let reader: RecordBatchReader;
  try {
    reader = await RecordBatchReader.from(bytes);
    await reader.open();
  } catch (error) {
    throw broken(error);
  }
  const batches = async function* (): AsyncGenerator<RecordBatch, void, void> {
    try {
      for await (const batch of reader) {
        totals.rows += batch.numRows;
        yield batch;
      }
    } catch (error) {
      throw broken(error);
    }
    totals.truncated = (await finish()).truncated === true;
    totals.elapsedMs = performance.now() - began;
  };
  const empty = { generation: null, extracts: [], tables: [], remotes: [], registered: [] };
  return {
    schema: reader.schema,
    names: reader.schema.fields.map(({ name }) => String(name)),
    batches: batches(),
    receipt: (): Receipt => ({ ...empty, ...totals }),
    close: async () => {
      await reader.cancel();
    },
  };
}

/** The receipt of a query. If the server does not return it, the user is warned that rows may be missing. */
async function receiptOf(cli: Cli, server: ServerClient, headers: Headers): Promise<ServerReceipt> {
  const id = headers.get("x-agnes-query-id");
  try {
    if (id !== null) {
      const { receipt } = await server.json<{ readonly receipt?: ServerReceipt | null }>(statePath(id));
      if (receipt != null) return receipt;
    }
  } catch (error) {
    if (!isAgnesError(error)) throw error;
  }
  cli.warn("the server has no receipt of this query, so it is not known whether a limit cut off rows");
  return {};
}

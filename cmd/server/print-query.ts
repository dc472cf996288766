import { RecordBatchReader, type RecordBatch } from "apache-arrow";

import { AgnesError, createHost, isAgnesError, messageOf, writeOutput } from "../../lib/base/mod.ts";
import type { QueryResult, Receipt } from "../../lib/query/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { splitCompression, writePieces } from "../results/output-file.ts";
import { printResult, reportReceipt, type PrintFormat } from "../results/print-result.ts";
import { camelCase } from "./camel-case.ts";
import type { ServerBytes, ServerClient } from "./client.ts";
import { errorOf } from "./server-error.ts";

/** A query for a server. */
interface ServerQuery {
  readonly sql: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly maxRows?: number;
}

const NO_RECEIPT: Receipt = {
  generation: null,
  extracts: [],
  tables: [],
  remotes: [],
  registered: [],
  rows: 0,
  sizeBytes: 0,
  elapsedMs: 0,
  truncated: false,
};

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
  const { sql, params, maxRows } = query;
  const { headers, bytes: received } = await server.bytes(
    `/api/query?format=${isDecoded ? "arrow" : format}`,
    {
      json: { sql, ...(params && { params }), ...(maxRows !== undefined && { limit: maxRows }) },
    },
  );
  const response = { headers, bytes: withCause(server, headers, received) };
  const finish = () => receiptOf(cli, server, headers);
  if (isDecoded) return printResult(cli, await decoded(server, response, began, finish), options);
  if (output === undefined) for await (const piece of response.bytes) await cli.print(piece);
  else {
    const { compression } = splitCompression(output);
    await writeOutput(createHost(), output, (path, isFile) =>
      writePieces({ path, isFile }, response.bytes, compression),
    );
  }
  const receipt = await finish();
  if (receipt !== null) reportReceipt(cli, receipt, output);
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
    throw (state === null ? null : await failureIn(server, state)) ?? error;
  }
}

function statePath(id: string): string {
  return `/api/queries/${encodeURIComponent(id)}`;
}

/** The error in the state of a query; null: it has none. */
async function failureIn({ address, advice }: ServerClient, text: string): Promise<AgnesError | null> {
  const error = await errorOf(address, { httpStatus: 200, text, advice });
  return isAgnesError(error, "server_response_invalid") ? null : error;
}

/** The rows of a response in Arrow as a result. */
async function decoded(
  server: ServerClient,
  { bytes }: ServerBytes,
  began: number,
  finish: () => Promise<Receipt | null>,
): Promise<QueryResult> {
  const broken = (error: unknown) => {
    if (isAgnesError(error)) return error;
    const details = { server: server.address, httpStatus: 200, reason: `is not Arrow: ${messageOf(error)}` };
    return new AgnesError("server_response_invalid", details, { cause: error });
  };
  let receipt = NO_RECEIPT;
  let reader: RecordBatchReader;
  try {
    reader = await RecordBatchReader.from(bytes);
    await reader.open();
  } catch (error) {
    throw broken(error);
  }
  const batches = async function* (): AsyncGenerator<RecordBatch, void, void> {
    let rows = 0;
    try {
      for await (const batch of reader) {
        rows += batch.numRows;
        yield batch;
      }
    } catch (error) {
      throw broken(error);
    }
    receipt = (await finish()) ?? { ...receipt, rows, elapsedMs: Math.round(performance.now() - began) };
  };
  return {
    schema: reader.schema,
    names: reader.schema.fields.map(({ name }) => String(name)),
    batches: batches(),
    receipt: () => receipt,
    close: async () => {
      await reader.cancel();
    },
  };
}

/** The receipt of a query; null: the server does not return it, and the user is warned that rows may be missing. */
async function receiptOf(cli: Cli, server: ServerClient, headers: Headers): Promise<Receipt | null> {
  const id = headers.get("x-agnes-query-id");
  try {
    if (id !== null) {
      const { receipt } = await server.json<{ readonly receipt?: object | null }>(statePath(id));
      if (receipt != null) return { ...NO_RECEIPT, ...(camelCase(receipt) as Receipt) };
    }
  } catch (error) {
    if (!isAgnesError(error)) throw error;
  }
  cli.warn("the server has no receipt of this query, so it is not known whether a limit cut off rows");
  return null;
}

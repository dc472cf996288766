import { protos } from "@google-cloud/bigquery-storage";
import * as grpc from "@grpc/grpc-js";

import { arrowMessages } from "./storage-arrow.ts";
import { Rows } from "./tables.ts";
import type { FakeBigQuery } from "./mod.ts";
import type { FakeResult, FakeTable } from "./types.ts";

const v1 = protos.google.cloud.bigquery.storage.v1;
type SessionRequest = protos.google.cloud.bigquery.storage.v1.ICreateReadSessionRequest;

/** A failed call. */
export interface StorageError {
  /** A code of gRPC. */
  readonly code: grpc.status;
  readonly message: string;
}

/** How the fake behaves. All can be changed between calls. */
export interface StorageScript {
  /** The rows of a response. */
  batchRows: number;
  /** The streams of a session, if as many are requested. */
  streams: number;
  /** The estimate of a session. `0`: it is not sent. Undefined: the bytes of the batches. */
  estimatedBytes: number | undefined;
  /** Errors of the next sessions, one each. */
  sessionErrors: StorageError[];
  /** Rejects a condition that matches. */
  rejects: RegExp | undefined;
  /** Returns how a read ends before the response with this number, `end` without an error; null: it goes on. */
  cut: (read: StorageRead, response: number) => StorageError | "silent" | "end" | null;
  /** Whether reads begin at the start of a stream regardless of their offset, as those of emulators do. */
  ignoresOffset: boolean;
  /** Added to the number of rows that a response reports. */
  rowCountError: number;
}

/** A call of `ReadRows`. */
export interface StorageRead {
  readonly stream: string;
  readonly offset: number;
  /** Which call for this stream it is, from 1. */
  readonly attempt: number;
  readonly token: string | undefined;
}

/** A fake Storage Read API. */
export interface FakeStorage extends AsyncDisposable {
  readonly url: string;
  readonly script: StorageScript;
  /** The requests of sessions. */
  readonly sessions: readonly SessionRequest[];
  readonly reads: readonly StorageRead[];
  /** How many reads have not ended. */
  readonly openReads: () => number;
}

/**
 * A fake of the Storage Read API v1, over gRPC on this machine.
 *
 * Faithful to its protocol buffers: `CreateReadSession` with selected fields, whose order is that of the table, row
 * restrictions, at most `max_stream_count` streams, none without rows, and numbers of 64 bits; `ReadRows` with Arrow
 * batches and the schema as messages of their own, and the progress of a stream. Faithful to measurements of users: an
 * offset is a number of rows of the stream, also inside a response; the end is no error; beyond it is FAILED_PRECONDITION; an
 * expired session is FAILED_PRECONDITION. Conditions run in DuckDB, so only those that mean the same there.
 */
export async function fakeStorage(options: {
  readonly project?: string;
  readonly tables: readonly FakeTable[];
  /** The tables with the results of jobs. */
  readonly resultTable?: FakeBigQuery["resultTable"];
  readonly script?: Partial<StorageScript>;
  /** Whether a token is accepted. Default: all are, and none is needed. */
  readonly accepts?: (token: string | undefined) => boolean;
}): Promise<FakeStorage> {
  const { project = "shop-1", tables, accepts = () => true } = options;
  const script: StorageScript = {
    batchRows: 10,
    streams: 3,
    estimatedBytes: undefined,
    sessionErrors: [],
    rejects: undefined,
    cut: () => null,
    ignoresOffset: false,
    rowCountError: 0,
    ...options.script,
  };
  const rows = new Rows(project, tables);
  const streams = new Map<string, FakeResult>();
  const [sessions, reads]: [SessionRequest[], StorageRead[]] = [[], []];
  let open = 0;

  const create = async (request: SessionRequest, metadata: grpc.Metadata) => {
    sessions.push(request);
    if (!accepts(tokenOf(metadata)))
      throw problem(grpc.status.UNAUTHENTICATED, "invalid authentication credentials");
    const error = script.sessionErrors.shift();
    if (error !== undefined) throw problem(error.code, error.message);
    const { table: name = "", readOptions } = request.readSession!;
    const [, , , dataset, , id] = name!.split("/");
    const result = options.resultTable?.(dataset!, id!);
    const table = result ?? tables.find((one) => one.dataset === dataset && one.id === id);
    if (table === undefined) throw problem(grpc.status.NOT_FOUND, `Not found: Table ${name}`);
    const selected = readOptions?.selectedFields ?? [];
    const fields = table.fields.filter((field) => selected.length === 0 || selected.includes(field.name));
    if (fields.length < selected.length)
      throw problem(grpc.status.INVALID_ARGUMENT, "request failed: no such field");
    const restriction = readOptions?.rowRestriction ?? "";
    if (script.rejects?.test(restriction))
      throw problem(
        grpc.status.INVALID_ARGUMENT,
        "request failed: Query error: too complex to be processed in filtering",
      );
    const list = fields.map((field) => `\`${field.name}\``).join(", ");
    const where = restriction === "" ? "" : ` WHERE ${restriction}`;
    const sql = `SELECT ${list} FROM \`${project}\`.\`${dataset}\`.\`${id}\`${where}`;
    const all = result === undefined ? (await rows.run(sql, [])).rows : result.rows;
    const count = all.length === 0 ? 0 : Math.min(script.streams, request.maxStreamCount || 1, all.length);
    const session = `projects/${project}/locations/eu/sessions/s${sessions.length}`;
    let bytes = 0;
    let serializedSchema: Uint8Array | undefined;
    const made = Array.from({ length: count }, (_, at) => {
      const stream = `${session}/streams/${at}`;
      const own = all.filter((_row, row) => row % count === at);
      const { schema, batches } = arrowMessages(fields, own, script.batchRows);
      streams.set(stream, { fields, rows: own });
      serializedSchema = schema;
      bytes += batches.reduce((sum, { message }) => sum + message.byteLength, 0);
      return { name: stream };
    });
    return {
      name: session,
      table: name,
      dataFormat: v1.DataFormat.ARROW,
      streams: made,
      arrowSchema: serializedSchema === undefined ? undefined : { serializedSchema },
      estimatedTotalBytesScanned: script.estimatedBytes ?? bytes,
      estimatedRowCount: all.length,
    };
  };

  const read = async (call: grpc.ServerWritableStream<{ readStream: string; offset: number }, object>) => {
    const { readStream: stream } = call.request;
    const offset = Number(call.request.offset);
    const attempt = reads.filter((one) => one.stream === stream).length + 1;
    const token = tokenOf(call.metadata);
    const own: StorageRead = { stream, offset, attempt, token };
    reads.push(own);
    if (!accepts(token)) throw problem(grpc.status.UNAUTHENTICATED, "invalid authentication credentials");
    const found = streams.get(stream);
    if (found === undefined) throw problem(grpc.status.NOT_FOUND, `Not found: ${stream}`);
    const total = found.rows.length;
    if (offset > total)
      throw problem(
        grpc.status.FAILED_PRECONDITION,
        `there was an error operating on '${stream}': offset ${offset} has not been allocated yet`,
      );
    let position = script.ignoresOffset ? 0 : offset;
    const { schema, batches } = arrowMessages(found.fields, found.rows.slice(position), script.batchRows);
    let number = 0;
    for (const batch of batches) {
      const ending = script.cut(own, number);
      if (ending === "silent") return new Promise<void>((resolve) => call.once("cancelled", resolve));
      if (ending === "end") return undefined;
      if (ending !== null) throw problem(ending.code, ending.message);
      const progress = { atResponseStart: position / total, atResponseEnd: (position + batch.rows) / total };
      position += batch.rows;
      number += 1;
      const response = {
        rowCount: batch.rows + script.rowCountError,
        arrowRecordBatch: { serializedRecordBatch: batch.message },
        stats: { progress },
        ...(number === 1 ? { arrowSchema: { serializedSchema: schema } } : {}),
      };
      if (!call.write(response)) await new Promise((resolve) => call.once("drain", resolve));
    }
    const ending = script.cut(own, number);
    if (ending === "silent") return new Promise<void>((resolve) => call.once("cancelled", resolve));
    if (ending !== null && ending !== "end") throw problem(ending.code, ending.message);
    return undefined;
  };

  const server = serverOf(create, async (call) => {
    open += 1;
    try {
      await read(call);
    } finally {
      open -= 1;
    }
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    url: `http://127.0.0.1:${port}`,
    script,
    sessions,
    reads,
    openReads: () => open,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      await rows.close();
    },
  };
}

type Create = (request: SessionRequest, metadata: grpc.Metadata) => Promise<object>;
type Read = (
  call: grpc.ServerWritableStream<{ readStream: string; offset: number }, object>,
) => Promise<void>;

/** A server with the two methods, by the generated messages of Google's client. */
export function serverOf(create: Create, read: Read): grpc.Server {
  const server = new grpc.Server({ "grpc.max_send_message_length": -1 });
  const path = "/google.cloud.bigquery.storage.v1.BigQueryRead";
  const method = (name: string, request: Message, response: Message, responseStream: boolean) => ({
    path: `${path}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: (value: object) => Buffer.from(request.encode(value).finish()),
    requestDeserialize: (bytes: Buffer) => request.decode(bytes),
    // A bench sends responses that it has encoded before.
    responseSerialize: (value: object) =>
      Buffer.isBuffer(value) ? value : Buffer.from(response.encode(value).finish()),
    responseDeserialize: (bytes: Buffer) => response.decode(bytes),
  });
  server.addService(
    {
      CreateReadSession: method("CreateReadSession", v1.CreateReadSessionRequest, v1.ReadSession, false),
      ReadRows: method("ReadRows", v1.ReadRowsRequest, v1.ReadRowsResponse, true),
    } as never,
    {
      CreateReadSession: (
        call: grpc.ServerUnaryCall<SessionRequest, object>,
        reply: grpc.sendUnaryData<object>,
      ) => {
        create(call.request, call.metadata).then(
          (session) => reply(null, session),
          (error: Error) => reply(error as grpc.ServiceError),
        );
      },
      ReadRows: (call: Parameters<Read>[0]) => {
        read(call).then(
          () => call.end(),
          (error: Error) => void call.emit("error", error),
        );
      },
    } as never,
  );
  return server;
}

interface Message {
  encode(value: object): { finish(): Uint8Array };
  decode(bytes: Uint8Array): object;
}

const problem = (code: grpc.status, details: string): Error =>
  Object.assign(new Error(details), { code, details });

const tokenOf = (metadata: grpc.Metadata): string | undefined =>
  /^Bearer (.+)$/.exec(String(metadata.get("authorization")[0] ?? ""))?.[1];

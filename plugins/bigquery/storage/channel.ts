import { AgnesError, optionalPackage, type BearerSource } from "agnes/kit";
import type * as Grpc from "@grpc/grpc-js";

import { Stalled, statusOf } from "./status.ts";

/** A read session, with the fields that are used. */
export interface ReadSession {
  readonly name: string;
  readonly streams: readonly { readonly name: string }[];
  readonly arrowSchema: { readonly serializedSchema: Uint8Array } | null;
  /** Numbers of 64 bits are text. */
  readonly estimatedTotalBytesScanned: string;
  readonly estimatedRowCount: string;
}

/** One response of a stream. */
export interface ReadRowsResponse {
  readonly arrowRecordBatch: { readonly serializedRecordBatch: Uint8Array } | null;
  readonly rowCount: string;
  readonly stats: {
    readonly progress: { readonly atResponseStart: number; readonly atResponseEnd: number } | null;
  } | null;
}

/** A request for a session. */
interface SessionRequest {
  /** `projects/…`: the project that pays. */
  readonly parent: string;
  /** `projects/…/datasets/…/tables/…`. */
  readonly table: string;
  readonly columns: readonly string[];
  /** The condition of the rows; empty: all. */
  readonly restriction: string;
  /** The time at which the table is read, as ISO 8601 text. Undefined: now. */
  readonly snapshot?: string | undefined;
  readonly streamsMax: number;
}

/** The connection to the Storage Read API. */
export interface Channel {
  createReadSession(request: SessionRequest, signal: AbortSignal): Promise<ReadSession>;
  /** Yields the responses of a stream from a row on. */
  readRows(stream: string, offset: number, signal: AbortSignal): AsyncGenerator<ReadRowsResponse, void, void>;
  close(): void;
}

/** How to connect. */
export interface ChannelOptions {
  readonly endpoint: string;
  /** Undefined: calls have no token. */
  readonly bearer: BearerSource | undefined;
  /** How long a stream may be silent, in milliseconds. */
  readonly idleMs: number;
}

type Callback = (error: Error | null, response: ReadSession) => void;

/** The generated methods, without the client library's own retries. */
interface Stub {
  createReadSession(
    request: object,
    metadata: Grpc.Metadata,
    options: Grpc.CallOptions,
    callback: Callback,
  ): Grpc.ClientUnaryCall;
  readRows(request: object, metadata: Grpc.Metadata): Grpc.ClientReadableStream<ReadRowsResponse>;
  close(): void;
}

const SESSION_TIMEOUT_MS = 120_000;
/**
 * What a server may send without an acknowledgement: with the default of 64 KB, it sends at most 2 MB/s over a distance of
 * 30 ms. On Bun more memory than the window remains in use.
 */
const WINDOW_BYTES = (process.versions.bun === undefined ? 4 : 1) * 1024 ** 2;
/** Node.js before 20.10 reads `assert`. */
const JSON_MODULE = { with: { type: "json" }, assert: { type: "json" } };

/**
 * Opens a connection; its packages are loaded now.
 * @throws `package_missing`
 */
export async function openChannel(options: ChannelOptions): Promise<Channel> {
  const { endpoint, bearer } = options;
  const grpc = await optionalPackage("@grpc/grpc-js", () => import("@grpc/grpc-js"));
  const { fromJSON } = await optionalPackage("@grpc/proto-loader", () => import("@grpc/proto-loader"));
  // The package's client would add 5 MB to the executable, and has its own sign-in and retries.
  const { default: protos } = await optionalPackage(
    "@google-cloud/bigquery-storage",
    () => import("@google-cloud/bigquery-storage/build/protos/protos.json", JSON_MODULE),
  );
  const definition = fromJSON(protos as never, { longs: String, defaults: true });
  const { BigQueryRead } = servicesOf(grpc.loadPackageDefinition(definition));
  const { hostname, port, protocol } = new URL(endpoint);
  const isSecure = protocol === "https:";
  const address = `${hostname}:${port === "" ? (isSecure ? 443 : 80) : port}`;
  const credentials = isSecure ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
  const stub = new BigQueryRead(address, credentials, {
    "grpc.max_receive_message_length": -1,
    "grpc-node.flow_control_window": WINDOW_BYTES,
  }) as unknown as Stub;
  return new GrpcChannel(grpc, stub, bearer, options.idleMs);
}

/** The services of the API version 1. */
function servicesOf(loaded: Grpc.GrpcObject): { readonly BigQueryRead: Grpc.ServiceClientConstructor } {
  const names = ["google", "cloud", "bigquery", "storage", "v1"];
  return names.reduce((at, name) => at[name] as Grpc.GrpcObject, loaded) as never;
}

/** A time as a message of protocol buffers. */
function timestampOf(time: string): { readonly seconds: number; readonly nanos: number } {
  const timeMs = Date.parse(time);
  const seconds = Math.floor(timeMs / 1000);
  return { seconds, nanos: (timeMs - seconds * 1000) * 1_000_000 };
}

class GrpcChannel implements Channel {
  readonly #grpc: typeof Grpc;
  readonly #stub: Stub;
  readonly #bearer: BearerSource | undefined;
  readonly #idleMs: number;
  #isRejected = false;

  constructor(grpc: typeof Grpc, stub: Stub, bearer: BearerSource | undefined, idleMs: number) {
    this.#grpc = grpc;
    this.#stub = stub;
    this.#bearer = bearer;
    this.#idleMs = idleMs;
  }

  async createReadSession(request: SessionRequest, signal: AbortSignal): Promise<ReadSession> {
    const { parent, table, columns, restriction, snapshot, streamsMax } = request;
    const metadata = await this.#metadata(`read_session.table=${encodeURIComponent(table)}`, signal);
    const body = {
      parent,
      maxStreamCount: streamsMax,
      readSession: {
        table,
        dataFormat: "ARROW",
        ...(snapshot === undefined ? {} : { tableModifiers: { snapshotTime: timestampOf(snapshot) } }),
        readOptions: { selectedFields: columns, rowRestriction: restriction },
      },
    };
    const deadline = Date.now() + SESSION_TIMEOUT_MS;
    let stop = () => {};
    try {
      return await new Promise<ReadSession>((resolve, reject) => {
        const call = this.#stub.createReadSession(body, metadata, { deadline }, (error, session) => {
          if (error === null) resolve(session);
          else reject(error);
        });
        stop = () => call.cancel();
        signal.addEventListener("abort", stop, { once: true });
        if (signal.aborted) stop();
      });
    } catch (error) {
      throw this.#noted(error, signal);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async *readRows(
    stream: string,
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<ReadRowsResponse, void, void> {
    const metadata = await this.#metadata(`read_stream=${encodeURIComponent(stream)}`, signal);
    const call = this.#stub.readRows({ readStream: stream, offset: String(offset) }, metadata);
    // The call also reports its own cancellation, when nothing reads it any more.
    call.on("error", () => {});
    const responses = call[Symbol.asyncIterator]() as AsyncIterator<ReadRowsResponse>;
    try {
      for (;;) {
        const next = await this.#within(responses.next(), signal);
        if (next.done === true) return;
        yield next.value;
      }
    } catch (error) {
      throw this.#noted(error, signal);
    } finally {
      call.cancel();
    }
  }

  close(): void {
    this.#stub.close();
  }

  /** Waits for the next response until the stream is silent for too long or the caller stops. */
  async #within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stop = () => {};
    const stopped = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Stalled(this.#idleMs)), this.#idleMs);
      stop = () => reject(signal.reason as Error);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
    });
    work.catch(() => {});
    try {
      return await Promise.race([work, stopped]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
    }
  }

  async #metadata(routing: string, signal: AbortSignal): Promise<Grpc.Metadata> {
    const metadata = new this.#grpc.Metadata();
    metadata.set("x-goog-request-params", routing);
    if (this.#bearer !== undefined) {
      const rejected = this.#isRejected;
      this.#isRejected = false;
      const token = await this.#bearer({ rejected, signal });
      metadata.set("authorization", `Bearer ${token.reveal()}`);
    }
    return metadata;
  }

  /** Returns the error of a call. After a rejected token the next call renews it. */
  #noted(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return new AgnesError("aborted", { what: "reading BigQuery" }, { cause: error });
    if (statusOf(error)?.name === "UNAUTHENTICATED") this.#isRejected = true;
    return error;
  }
}

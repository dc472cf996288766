import { AgnesError, mergeParts, type arrow, type BearerSource, type ConnectContext } from "agnes/kit";

import { errors } from "../errors.ts";
import type { Settings } from "../settings.ts";
import { openChannel, type Channel } from "./channel.ts";
import { Retries } from "./retries.ts";
import { openSession, type Session, type StorageRequest } from "./session.ts";
import { SessionExpired, streamPart } from "./stream.ts";
import { StorageUnusable } from "./unusable.ts";

/** How long a stream may be silent. */
const IDLE_MS = 120_000;
/** Streams that are read at once. */
export const STREAMS_MAX = 4;
/** The permission without which no session can be created. */
const PERMISSION = /bigquery\.readsessions\.create/;
const SESSIONS_MAX = 3;

/** What a read by sessions needs. */
export interface StorageContext {
  readonly services: Pick<ConnectContext<unknown, never>, "log" | "sleep">;
  readonly settings: Settings;
  /** The token of each call. Undefined: calls have none. */
  readonly bearer: BearerSource | undefined;
  /** Where the credentials come from, for errors. */
  readonly originOf: () => string;
  /** Default: two minutes. */
  readonly idleMs?: number;
}

/** The rows of a table, in batches. */
export interface StorageRows {
  /** Undefined if it is unknown. */
  readonly estimatedRows: number | undefined;
  /** Yields all rows. Returns false, before it yields any row, if a job must read the table after all. */
  batches(): AsyncGenerator<arrow.RecordBatch, boolean, void>;
  /** The bytes that the session bills, as far as they are known: its estimate, or those received until now if they are more. */
  scannedBytes(): number;
}

/** The read sessions of a source. Google's client is loaded when the first session is created. */
export class StorageReads {
  readonly #context: StorageContext;
  readonly #retries: Retries;
  #channel: Promise<Channel> | undefined;
  /** Why no session is created any more. */
  #obstacle: string | undefined;

  constructor(context: StorageContext) {
    this.#context = context;
    this.#retries = new Retries(context.services, context.originOf);
    this.#obstacle =
      context.settings.storageEndpoint === undefined ? "it is not used by this source" : undefined;
  }

  /**
   * Opens a session for the rows of a table; null if a job must read it.
   * @throws the errors of `openSession`, except StorageUnusable
   */
  async open(request: StorageRequest, signal: AbortSignal): Promise<StorageRows | null> {
    if (this.#obstacle !== undefined) return null;
    const first = await this.#session(request, signal);
    if (first === null) return null;
    const total = { rows: 0, bytes: 0 };
    return {
      estimatedRows: first.estimatedRows,
      batches: () => this.#batches(first, request, total, signal),
      scannedBytes: () => Math.max(first.estimatedBytes ?? 0, total.bytes),
    };
  }

  /** Whether sessions are created, as far as it is known. */
  get isUsed(): boolean {
    return this.#obstacle === undefined;
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    (await channel?.catch(() => undefined))?.close();
  }

  async *#batches(
    first: Session,
    request: StorageRequest,
    total: { rows: number; bytes: number },
    signal: AbortSignal,
  ): AsyncGenerator<arrow.RecordBatch, boolean, void> {
    let session: Session | null = first;
    for (let count = 1; ; count += 1) {
      try {
        yield* this.#reported(session, request, total, signal);
        this.#context.services.log.info(`read session ${session.name} is read`, { ...total });
        return true;
      } catch (error) {
        if (error instanceof StorageUnusable) {
          if (total.rows === 0) return this.#refused(error.message, request);
          throw errors.request_refused({ what: request.what, reason: error.message }, { cause: error });
        }
        if (!(error instanceof SessionExpired)) throw error;
        // The streams of another session have other rows, so a row that was handed on could be among them.
        if (total.rows > 0 || count === SESSIONS_MAX)
          throw new AgnesError(
            "read_expired",
            { what: request.what, rows: total.rows, reason: error.message },
            { cause: error },
          );
      }
      session = await this.#session(request, signal);
      if (session === null) return false;
    }
  }

  /** Yields the rows of a session, and reports it. What a session bills is not known. */
  async *#reported(
    { name: id, ...session }: Session,
    request: StorageRequest,
    total: { rows: number; bytes: number },
    signal: AbortSignal,
  ): AsyncGenerator<arrow.RecordBatch, void, void> {
    const { onJob } = request;
    const before = total.bytes;
    let status: "done" | "cancelled" = "cancelled";
    onJob?.({ id, status: "running" });
    try {
      for await (const batch of mergeParts(await this.#parts(session, request, total), { signal })) {
        total.rows += batch.numRows;
        yield batch;
      }
      status = "done";
    } finally {
      onJob?.({ id, status, processedBytes: total.bytes - before });
    }
  }

  async #parts(
    session: Pick<Session, "streams" | "decode">,
    { limitBytes, what, path }: StorageRequest,
    total: { bytes: number },
  ) {
    const channel = await this.#connected();
    const tables = [`${path.project}.${path.dataset}.${path.table}`];
    return session.streams.map((stream) =>
      streamPart({
        channel,
        retries: this.#retries,
        stream,
        decode: session.decode,
        onBytes: (sizeBytes) => {
          total.bytes += sizeBytes;
          // The estimate may be stale.
          if (limitBytes !== undefined && total.bytes > limitBytes)
            throw errors.scan_too_large({ scannedBytes: null, limitBytes, tables });
        },
        what,
      }),
    );
  }

  /** Opens a session; null if a job must read the table. */
  async #session(request: StorageRequest, signal: AbortSignal): Promise<Session | null> {
    const { services, settings } = this.#context;
    try {
      const channel = await this.#connected();
      return await openSession(
        { channel, retries: this.#retries, settings, log: services.log },
        request,
        signal,
      );
    } catch (error) {
      const reason = obstacleOf(error);
      if (reason === undefined) throw error;
      this.#refused(reason, request);
      // Neither concerns only this table.
      if (error instanceof AgnesError || PERMISSION.test(reason)) this.#obstacle = reason;
      return null;
    }
  }

  #refused(reason: string, { what }: StorageRequest): false {
    const { log } = this.#context.services;
    log.info(`the Storage Read API is not used for ${what}: ${reason}`);
    return false;
  }

  #connected(): Promise<Channel> {
    const { settings, bearer, idleMs = IDLE_MS } = this.#context;
    this.#channel ??= openChannel({
      endpoint: settings.storageEndpoint!,
      bearer,
      idleMs,
    }).catch((error: unknown) => {
      this.#channel = undefined;
      throw error;
    });
    return this.#channel;
  }
}

/** Why a job must read a table; undefined for other errors. Without its package the API is not used. */
function obstacleOf(error: unknown): string | undefined {
  if (error instanceof StorageUnusable) return error.message;
  return error instanceof AgnesError && error.code === "package_missing" ? error.message : undefined;
}

import type { arrow, ConnectContext, ReadOptions } from "agnes/kit";

import { errors } from "../errors.ts";
import { checkBytes } from "../estimate.ts";
import type { TablePath } from "../names.ts";
import type { Channel, ReadSession } from "./channel.ts";
import { decoderOf, type Decode } from "./decode.ts";
import type { Settings } from "../settings.ts";
import type { Retries } from "./retries.ts";
import { statusOf } from "./status.ts";
import { StorageUnusable } from "./unusable.ts";

/** What to read of a table. */
export interface StorageRequest {
  readonly path: TablePath;
  /** The columns, in the order of the batches. */
  readonly schema: arrow.Schema;
  /** The condition of the rows in GoogleSQL; empty: all. */
  readonly restriction: string;
  /** The time at which the table is read, as ISO 8601 text. Default: now. */
  readonly snapshot?: string | undefined;
  /** The bytes that the read may bill. Undefined: it is free. */
  readonly limitBytes: number | undefined;
  /** The bytes that a job would bill for the same rows. Undefined: they are the same, or unknown. */
  readonly jobBytes?: Promise<number | undefined>;
  readonly streamsMax: number;
  /** Receives each session, unless it is free. */
  readonly onJob?: ReadOptions["onJob"] | undefined;
  /** What is read, for errors: `table sales.orders`. */
  readonly what: string;
}

/** An open session, whose estimate is within the limit. */
export interface Session {
  readonly name: string;
  readonly streams: readonly string[];
  /** Undefined if it is unknown. */
  readonly estimatedRows: number | undefined;
  readonly estimatedBytes: number | undefined;
  readonly decode: Decode;
}

/** The services of a session. */
export interface SessionServices {
  readonly channel: Channel;
  readonly retries: Retries;
  readonly settings: Pick<Settings, "billingProject" | "allowUnknownEstimates">;
  readonly log: ConnectContext<unknown, never>["log"];
}

/** The least bytes that a job bills for a table. */
const JOB_BYTES_MIN = 10 * 1024 ** 2;
/** How much more a byte of a job costs than one of a session, by Google's list prices: 6.25 and 1.10 USD for a TiB. */
const JOB_PRICE = 5;
/** The maximum length of a condition, in bytes. */
const RESTRICTION_BYTES_MAX = 1_048_576;
/** Statuses of a table or condition that the service does not read, and of an account that may not use it. */
const UNUSABLE: ReadonlySet<string> = new Set([
  "INVALID_ARGUMENT",
  "PERMISSION_DENIED",
  "FAILED_PRECONDITION",
  "UNIMPLEMENTED",
  "NOT_FOUND",
]);

/**
 * Creates a session and checks its estimate.
 * @throws StorageUnusable if a job must read the table; `bigquery/estimate_unknown`, `bigquery/scan_too_large`,
 *   `bigquery/unavailable` and other errors of calls
 */
export async function openSession(
  services: SessionServices,
  request: StorageRequest,
  signal: AbortSignal,
): Promise<Session> {
  const { channel, retries, settings, log } = services;
  const { path, schema, restriction, snapshot, limitBytes, streamsMax, what } = request;
  if (Buffer.byteLength(restriction) > RESTRICTION_BYTES_MAX)
    throw new StorageUnusable("the condition is longer than 1 MiB");
  const created = await retries.run({ what, signal }, async () => {
    try {
      return await channel.createReadSession(
        {
          parent: `projects/${settings.billingProject}`,
          table: `projects/${path.project}/datasets/${path.dataset}/tables/${path.table}`,
          columns: schema.fields.map(({ name }) => name),
          restriction,
          snapshot,
          streamsMax,
        },
        signal,
      );
    } catch (error) {
      const status = statusOf(error);
      if (status !== undefined && UNUSABLE.has(status.name)) throw new StorageUnusable(status.reason);
      throw error;
    }
  });
  const streams = created.streams.map(({ name }) => name);
  const estimatedBytes = positive(created.estimatedTotalBytesScanned);
  if (limitBytes !== undefined && streams.length > 0) {
    checkCheaper(estimatedBytes, await request.jobBytes, limitBytes);
    checkEstimate(estimatedBytes, { path, limitBytes }, settings);
  }
  log.info(`read session ${created.name} is open`, { streams: streams.length, estimatedBytes });
  return {
    name: created.name,
    streams,
    estimatedRows: positive(created.estimatedRowCount),
    estimatedBytes,
    // A session without streams has no rows, and may have no schema.
    decode: streams.length === 0 ? noBatch : decoderOf(schemaOf(created), schema),
  };
}

/**
 * Checks that a job is not cheaper, which reads only the partitions and blocks that a condition needs.
 * @throws StorageUnusable
 */
function checkCheaper(
  sessionBytes: number | undefined,
  jobBytes: number | undefined,
  limitBytes: number,
): void {
  if (sessionBytes === undefined || jobBytes === undefined) return;
  const isOnlyJobAllowed = sessionBytes > limitBytes && jobBytes <= limitBytes;
  if (!isOnlyJobAllowed && sessionBytes <= Math.max(jobBytes, JOB_BYTES_MIN) * JOB_PRICE) return;
  throw new StorageUnusable(`a job is cheaper: it reads ${jobBytes} B, and the session ${sessionBytes} B`);
}

/** A session that reports no bytes is as unknown as a dry run that reports none. */
function checkEstimate(
  scannedBytes: number | undefined,
  { path, limitBytes }: { readonly path: TablePath; readonly limitBytes: number },
  settings: SessionServices["settings"],
): void {
  const tables = [`${path.project}.${path.dataset}.${path.table}`];
  const unknown = scannedBytes === undefined ? "the read session reports no bytes" : undefined;
  checkBytes({ scannedBytes, unknown, tables }, limitBytes, settings);
}

function schemaOf({ arrowSchema }: ReadSession): Uint8Array {
  if (arrowSchema === null) throw new StorageUnusable("the read session has no Arrow schema");
  return arrowSchema.serializedSchema;
}

/** A number that the service reports; one that is not sent is zero. */
function positive(text: string): number | undefined {
  const number = Number(text);
  return number > 0 ? number : undefined;
}

const noBatch: Decode = () => {
  throw errors.request_refused({ what: "the read session", reason: "it has rows but no streams" });
};

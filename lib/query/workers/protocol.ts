import { knownError, sentError, type SentError } from "../../base/mod.ts";
import type { DuckDBLimits, ResultFormat, TextOptions } from "../../duckdb/mod.ts";
import type { QueryLimits } from "../../kit/mod.ts";
import type { TableDescription } from "../catalog.ts";
import type { Condition } from "../condition/with-condition.ts";
import { isFatal } from "../failure.ts";
import type { Receipt } from "../run.ts";
import type { FromAsker, SentRegister, ToAsker } from "./remote/messages.ts";

/** What a worker process does for a caller. Access is a list, because a message is JSON. */
export type Task =
  | {
      readonly kind: "query";
      readonly sql: string;
      readonly trusted: boolean;
      readonly batchRows: number | null;
      /** The literals of `params`, by name; null: none. */
      readonly literals: readonly (readonly [name: string, literal: string])[] | null;
      /** The queries of `register`; null: none. */
      readonly register: SentRegister | null;
    }
  | { readonly kind: "sample"; readonly table: string; readonly rows: number; readonly random: boolean }
  | { readonly kind: "describe"; readonly table: string }
  | ({ readonly kind: "condition" } & Condition);

/** A task and its options. */
export interface TaskMessage {
  readonly type: "run";
  readonly task: Task;
  readonly access: readonly string[] | null;
  readonly limits: QueryLimits;
  /** The format of the bytes; null: Arrow batches, as `encodeBatches` writes them. */
  readonly format: ResultFormat | null;
  readonly text?: TextOptions;
}

/** The messages to a worker process: how to open its session, a task, and the end of the task. */
export type ToWorker =
  | {
      readonly type: "open";
      readonly dataDirectory: string;
      readonly limits: DuckDBLimits;
      /** The home directory of the parent, which messages must not contain; null if unknown. */
      readonly home: string | null;
    }
  | TaskMessage
  | ToAsker
  | { readonly type: "stop" };

/** The columns of a result, before its first bytes. */
export interface ResultHead {
  readonly names: readonly string[];
  /** The schema with unique names, as an Arrow stream in base64; empty if the bytes are in a format. */
  readonly schema: string;
  readonly receipt: Receipt;
}

/** The messages from a worker process. Between `head` and `end` or `failed`, it sends the bytes of the result. */
export type FromWorker =
  | FromAsker
  | { readonly type: "ready" }
  | { readonly type: "head"; readonly head: ResultHead }
  | { readonly type: "end"; readonly receipt: Receipt }
  | { readonly type: "described"; readonly table: TableDescription }
  | { readonly type: "checked"; readonly sql: string }
  | {
      readonly type: "failed";
      readonly error: SentError;
      /** Whether DuckDB can no longer be used in this process. */
      readonly isFatal: boolean;
    };

/** Returns the message of an error. */
export function failedMessage(error: unknown): Extract<FromWorker, { readonly type: "failed" }> {
  const known = knownError(error);
  return { type: "failed", error: sentError(known), isFatal: isFatal(known) };
}

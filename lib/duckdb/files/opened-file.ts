import type { JsonText } from "../../base/mod.ts";
import type { FileChunk, FileReading } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";

/** A file chunk on the disk, with how it is read. */
export type ReadableChunk = FileChunk & { readonly data: string; readonly reading: FileReading };

/** One row that does not fit. */
export interface RejectedRow {
  /** The place among the rows of the file, from 1; records that are no row count. */
  readonly row: number;
  readonly column: string;
  /** Empty for a null. */
  readonly value: string;
  readonly reason: string;
  /** As the file has it; of a record that is no row, its line and text. */
  readonly record: JsonText | Readonly<Record<string, unknown>>;
  /** The type of the column, when a wider one of its kind may hold the value. */
  readonly widerThan?: string;
}

/** A file that is ready to be read by SQL; `close` it at the end. */
export interface OpenFile extends AsyncDisposable {
  /** The columns that the file has, in its order, with their types. */
  readonly present: readonly { readonly name: string; readonly type: string }[];
  /** Whether what the file holds is known to be nothing, not even a header. */
  readonly isEmpty: boolean;
  /** The SELECT of all rows, in the order of the file: right or an error. */
  readonly select: string;
  /** Whether a query of `select` that failed may be tried again: `select` then reads the file another way. */
  retry?(error: unknown): Promise<boolean>;
  /** The error that a query of `select` failed with, told with file, line, column and value where it is about these. */
  explain(error: unknown): Promise<unknown>;
  /**
   * Checks a file that was opened unchecked, once; the rows of `select` are right only when it resolves with this very
   * file. Else what it resolves with is to be read instead, and to be closed. Absent: nothing is left to check.
   *
   * @throws `file_unreadable`, `file_reading_outdated`
   */
  check?(): Promise<OpenFile>;
  /** Sorts out what does not fit: the SELECT of the rows that fit, and the others, one by one. */
  sortOut(
    connection: Connection,
  ): Promise<{ readonly select: string; readonly rejected: AsyncIterable<RejectedRow> }>;
}

/** What opening a file may need. */
export interface OpenFileOptions {
  readonly connection: Connection;
  /** Where temporary copies go. Default: the system's folder for them. */
  readonly directory?: string;
  readonly signal?: AbortSignal;
  /** Whether a file may be read before it is checked; the caller must `check` it before any row counts. */
  readonly isUnchecked?: boolean;
  /** Is told how many bytes were looked at, of a file that is not compressed, before it can be read. */
  readonly onBytesScanned?: (bytes: number) => void;
}

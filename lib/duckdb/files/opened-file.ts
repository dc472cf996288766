import type { JsonText } from "../../base/mod.ts";
import type { FileChunk, FileReading } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";

/** A file chunk on disk, with its reading. */
export type ReadableChunk = FileChunk & { readonly data: string; readonly reading: FileReading };

/** A row with a value that does not fit, or a record that is not a row. */
export interface RejectedRow {
  /** The number in the file, from 1; records that are not rows count. */
  readonly row: number;
  readonly column: string;
  /** Empty for a null. */
  readonly value: string;
  readonly reason: string;
  /** The row as in the file, or the line and text of a record that is not a row. */
  readonly record: JsonText | Readonly<Record<string, unknown>>;
  /** The type of the column, if a wider one of its kind may hold the value. */
  readonly widerThan?: string;
}

/** The values of one column that do not fit. */
export interface ColumnMisfits {
  readonly column: string;
  /** The type, with its format if there is one. */
  readonly type: string;
  readonly values: number;
  /** One of the values, as written. */
  readonly example: string;
  /** One of the values that a wider type of its kind may hold. */
  readonly widens?: string;
}

/** A file that SQL can read; dispose of it at the end. */
export interface OpenFile extends AsyncDisposable {
  /** The columns of the file, in file order, with their types. */
  readonly present: readonly { readonly name: string; readonly type: string }[];
  /** Whether the file is known to be empty, without even a header. */
  readonly isEmpty: boolean;
  /** The SELECT of all rows, in file order. It fails instead of returning a wrong value. */
  readonly select: string;
  /** Whether a failed query of `select` may be retried; `select` then reads the file with another method. */
  retry?(error: unknown): Promise<boolean>;
  /** Converts the error of a query of `select` to one that names file, line, column and value, if they apply. */
  explain(error: unknown): Promise<unknown>;
  /**
   * Checks a file that was opened unchecked; call it once. The rows of `select` are valid only if it resolves with this
   * file. Otherwise read, and dispose of, the file that it resolves with. Missing if there is nothing to check.
   *
   * @throws `file_unreadable`, `file_reading_outdated`
   */
  check?(): Promise<OpenFile>;
  /** Separates the rows: the SELECT of those that fit, and the rejected ones. */
  separateRejected(
    connection: Connection,
  ): Promise<{ readonly select: string; readonly rejected: AsyncIterable<RejectedRow> }>;
  /** Sets values that do not fit to null: the SELECT of all rows, and these values. Records that are not rows still fail. */
  setMisfitsToNull(
    connection: Connection,
  ): Promise<{ readonly select: string; readonly misfits: readonly ColumnMisfits[] }>;
}

/** Several files that one scan reads; dispose of them at the end. */
export interface OpenFiles extends AsyncDisposable, Pick<OpenFile, "present"> {
  /** The SELECT of all rows, in the order of the files. It fails instead of returning a wrong value. */
  readonly select: string;
  /** Whether the rows of `select` are valid; call it once. Missing if there is nothing to check. */
  holds?(): Promise<boolean>;
}

/** Options of `openFile`. */
export interface OpenFileOptions {
  readonly connection: Connection;
  /** The folder for temporary copies. Default: the system's. */
  readonly directory?: string;
  readonly signal?: AbortSignal;
  /** Whether a file may be read before it is checked; the caller must call `check` before it uses any row. */
  readonly isUnchecked?: boolean;
  /** Receives the number of bytes scanned of an uncompressed file before it can be read. */
  readonly onBytesScanned?: (bytes: number) => void;
}

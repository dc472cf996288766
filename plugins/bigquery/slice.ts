import type { arrow, ReadOptions, Row, TableInfo } from "agnes/kit";

import type { TablePath } from "./names.ts";
import type { Select } from "./select.ts";

/** A part of a table whose changes are known: a partition or a shard. */
export interface Slice {
  readonly id: string;
  /** When it was last modified, as text that only equals itself. Null: unknown. */
  readonly modified: string | null;
  readonly sizeBytes: number;
}

/** How the slices of a table are read. */
export interface SlicedRead {
  /** The table, with the columns of the rows. */
  readonly info: TableInfo;
  readonly columns: readonly string[];
  readonly location: string | undefined;
  readonly options: ReadOptions;
  /** The SELECT of the rows of some slices, in their order. */
  readonly selectOf: (ids: readonly string[]) => Select;
  /** The slice of a row, by the value of the column `agnes_partition`. */
  readonly idOf: (value: unknown) => string;
  /** Completes a row. Default: as it is. */
  readonly rowOf?: ((row: Row, id: string) => Row) | undefined;
  /** What a session reads of a slice; null if a job must read it. */
  readonly sessionOf: (slice: Slice) => SliceSession | null;
  /** Completes a batch of a session. Default: as it is. */
  readonly batchOf?: ((batch: arrow.RecordBatch, id: string) => arrow.RecordBatch) | undefined;
  /** The error for a row of a slice that was not requested. */
  readonly strayRow: (id: string) => Error;
}

/** What a read session reads of a slice. */
interface SliceSession {
  readonly path: TablePath;
  /** The columns that the session reads. */
  readonly schema: arrow.Schema;
  readonly restriction: string;
  /** See `StorageRequest`. */
  readonly snapshot?: string | undefined;
}

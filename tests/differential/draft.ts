import type { WrittenColumn } from "./model.ts";

/** Rows of one file, before a format is chosen; null is an empty value. */
export interface Draft {
  readonly seed: number;
  readonly name: string;
  readonly columns: readonly WrittenColumn[];
  /** The texts of each file, row by row. */
  readonly files: readonly (readonly (readonly (string | null)[])[])[];
}

import type { ProfiledColumn } from "./columns.ts";

/** The rows from which percentiles, histograms and top values are computed; a smaller table is used whole. */
const SAMPLE_ROWS = 500_000;

/** About the memory of a sample; in a small engine, this share of its memory. Texts may be longer than is assumed here. */
const SAMPLE_BYTES = 400_000_000;
const SAMPLE_SHARE = 0.2;
const TEXT_BYTES = 80;
const VALUE_BYTES = 16;

/**
 * The memory for the figures of a column: the hash table of its different values, which has 5 MB with the first value, and the
 * pages of its Parquet file, which are large for texts.
 */
const TEXT_MB = 48;
const VALUE_MB = 16;

/** What keeps the work on a table within the memory. */
export interface Bounds {
  /** The rows of a sample of these columns. */
  readonly sampleRows: (columns: readonly ProfiledColumn[]) => number;
  /** Divides columns into groups, each for one statement. */
  readonly groupsOf: (columns: readonly ProfiledColumn[]) => readonly (readonly ProfiledColumn[])[];
}

/** Returns the bounds for an engine with this memory. */
export function boundsOf(memoryMb: number): Bounds {
  const sampleBytes = Math.min(SAMPLE_BYTES, memoryMb * 1_000_000 * SAMPLE_SHARE);
  return {
    sampleRows: (columns) => {
      const rowBytes = columns.reduce(
        (sum, { category }) => sum + (category === "STRING" ? TEXT_BYTES : VALUE_BYTES),
        0,
      );
      return Math.min(SAMPLE_ROWS, Math.max(1000, Math.floor(sampleBytes / rowBytes)));
    },
    groupsOf: (columns) => {
      const groups: ProfiledColumn[][] = [];
      let leftMb = 0;
      for (const column of columns) {
        const columnMb = column.category === "STRING" ? TEXT_MB : VALUE_MB;
        if (leftMb < columnMb) {
          groups.push([]);
          leftMb = memoryMb;
        }
        groups.at(-1)!.push(column);
        leftMb -= columnMb;
      }
      return groups;
    },
  };
}

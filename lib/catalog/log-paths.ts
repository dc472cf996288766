import { join } from "node:path";

/** Number of entries in one directory or segment. */
export const BLOCK = 256;

/** The paths of the parts of a log. */
export class LogPaths {
  /** The directory of the catalog. */
  readonly root: string;
  /** Has a directory for each block of entries that is not archived yet. */
  readonly log: string;
  /** Has a segment for each archived block. */
  readonly segments: string;
  /** Has a second hard link to the newest entry. */
  readonly head: string;
  /** Has the state that replaces dropped entries. */
  readonly base: string;

  constructor(root: string) {
    this.root = root;
    this.log = join(root, "log");
    this.segments = join(root, "segments");
    this.head = join(root, "head");
    this.base = join(root, "base");
  }

  entry(sequence: number): string {
    return join(this.block(blockOf(sequence)), entryName(sequence));
  }

  block(block: number): string {
    return join(this.log, blockName(block));
  }

  segment(block: number): string {
    return join(this.segments, `${blockName(block)}.jsonl`);
  }

  /** The second hard link to an entry, which exists while the entry is the newest. */
  mark(sequence: number): string {
    return join(this.head, entryName(sequence));
  }
}

/** The block of an entry, counted from 0. */
export function blockOf(sequence: number): number {
  return Math.floor((sequence - 1) / BLOCK);
}

/** The numbers of the blocks in a directory, from the names of their directories or segments. */
export function blockNumbers(names: readonly string[] | null): readonly number[] {
  return numbersOf(names, /^\d{8}(\.jsonl)?$/);
}

/** The sequence numbers of the entries in a directory. */
export function entryNumbers(names: readonly string[] | null): readonly number[] {
  return numbersOf(names, /^\d{12}\.json$/);
}

function numbersOf(names: readonly string[] | null, pattern: RegExp): readonly number[] {
  return (names ?? []).filter((name) => pattern.test(name)).map((name) => Number.parseInt(name, 10));
}

function blockName(block: number): string {
  return String(block).padStart(8, "0");
}

function entryName(sequence: number): string {
  return `${String(sequence).padStart(12, "0")}.json`;
}

import { join } from "node:path";

/** Entries in one directory, and later in one segment. */
export const BLOCK = 256;

/** Where the pieces of a log are. */
export class LogPaths {
  /** The directory of the catalog. */
  readonly root: string;
  /** A directory for each block of entries that is not archived yet. */
  readonly log: string;
  /** The archived blocks. */
  readonly segments: string;
  /** The second name of the newest entry. */
  readonly head: string;
  /** The state that stands for entries that were dropped. */
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

  /** The second name of an entry, which it has while it is the newest. */
  mark(sequence: number): string {
    return join(this.head, entryName(sequence));
  }
}

/** The block of an entry, from 0. */
export function blockOf(sequence: number): number {
  return Math.floor((sequence - 1) / BLOCK);
}

/** The blocks that a directory holds, by the names of their directories or segments. */
export function blockNumbers(names: readonly string[] | null): readonly number[] {
  return numbersOf(names, /^\d{8}(\.jsonl)?$/);
}

/** The entries that a directory holds. */
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

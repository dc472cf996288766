import { join } from "node:path";

import type { Host } from "../base/mod.ts";
import { BLOCK, type LogPaths } from "./log-paths.ts";

/** The state that replaces dropped entries of a log. */
export interface LogBase {
  readonly path: string;
  /** Entries up to this one are dropped or about to be dropped. */
  readonly dropped: number;
  /** The state includes all entries up to this one. */
  readonly sequence: number;
}

/** The bases in a directory; the last one is in effect. */
export function basesOf(paths: LogPaths, names: readonly string[] | null): readonly LogBase[] {
  return (names ?? [])
    .filter((name) => /^\d{12}-\d{12}\.jsonl$/.test(name))
    .sort()
    .map((name) => {
      const [dropped, sequence] = name.split(/[-.]/).map(Number) as [number, number];
      return { path: join(paths.base, name), dropped, sequence };
    });
}

/** The base for the dropped entries and the sequence number of its state. */
export function baseOf(paths: LogPaths, dropped: number, sequence: number): LogBase {
  const name = [dropped, sequence].map((number) => String(number).padStart(12, "0")).join("-");
  return { path: join(paths.base, `${name}.jsonl`), dropped, sequence };
}

/** The base in effect; `null` if no entries are dropped. */
export async function newestBase(paths: LogPaths, { files }: Pick<Host, "files">): Promise<LogBase | null> {
  return basesOf(paths, await files.list(paths.base)).at(-1) ?? null;
}

/** The last entry to drop if at least `keepEntries` are kept. Only whole blocks are dropped. */
export function droppable(head: number, keepEntries: number): number {
  return Math.max(0, Math.floor((head - keepEntries) / BLOCK) * BLOCK);
}

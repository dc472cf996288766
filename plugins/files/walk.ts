import { AgnesError } from "agnes/kit";

import { entriesOf, type DataEntry, type Entry, type LeftOutEntry, type LinkRule } from "./entries.ts";
import { mayHoldData } from "./formats.ts";
import type { SourceFormat } from "./options.ts";

/** The files found below a folder or by a glob. */
export interface Walked {
  readonly files: readonly DataEntry[];
  /** The error of an entry that cannot be read, because of which `files` may be incomplete. */
  readonly problem?: AgnesError;
  /** Skipped links out of the source that may contain data. */
  readonly leftOut: readonly LeftOutEntry[];
}

/** Options of `walk`. */
export interface WalkRule extends LinkRule {
  /** The format of files without a known extension. */
  readonly format?: SourceFormat | undefined;
}

const NOTHING: Walked = { files: [], leftOut: [] };

/** Returns all files at and below an entry, of any format. */
export async function walk(entry: Entry, rule: WalkRule): Promise<Walked> {
  switch (entry.kind) {
    case "file":
      return { files: [entry], leftOut: [] };
    case "bad":
      return mayHoldData(entry, rule.format) ? { ...NOTHING, problem: entry.problem } : NOTHING;
    case "leftOut":
      return mayHoldData(entry, rule.format) ? { files: [], leftOut: [entry] } : NOTHING;
    case "folder": {
      const entries = await entriesOrProblem(entry, rule);
      if (entries instanceof AgnesError) return { ...NOTHING, problem: entries };
      return joined(await Promise.all(entries.map((one) => walk(one, rule))));
    }
  }
}

/** Returns the entries of a folder, or the error if it cannot be listed. */
export async function entriesOrProblem(
  folder: DataEntry,
  rule: LinkRule,
): Promise<readonly Entry[] | AgnesError> {
  try {
    return await entriesOf(folder, rule);
  } catch (error) {
    if (!(error instanceof AgnesError)) throw error;
    return error;
  }
}

/** Joins several results, with the first problem. */
export function joined(found: readonly Walked[]): Walked {
  const problem = found.find((one) => one.problem !== undefined)?.problem;
  return {
    files: found.flatMap((one) => one.files),
    leftOut: found.flatMap((one) => one.leftOut),
    ...(problem === undefined ? {} : { problem }),
  };
}

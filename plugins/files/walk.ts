import { AgnesError } from "agnes/kit";

import { entriesOf, type DataEntry, type Entry, type LeftOutEntry, type LinkRule } from "./entries.ts";
import { mayHoldData } from "./formats.ts";
import type { SourceFormat } from "./options.ts";

/** What was found below a folder or by a glob. */
export interface Walked {
  readonly files: readonly DataEntry[];
  /** What stands in the way: what it holds is unknown, so `files` may lack some. */
  readonly problem?: AgnesError;
  /** Links out of the source that would have counted. */
  readonly leftOut: readonly LeftOutEntry[];
}

/** How a walk goes. */
export interface WalkRule extends LinkRule {
  /** The format of files whose names do not tell. */
  readonly format?: SourceFormat | undefined;
}

const NOTHING: Walked = { files: [], leftOut: [] };

/** All files at an entry and below it, those of other kinds as well. */
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

/** The entries of a folder, or why they cannot be listed. */
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

/** Several findings as one, with the first problem. */
export function joined(found: readonly Walked[]): Walked {
  const problem = found.find((one) => one.problem !== undefined)?.problem;
  return {
    files: found.flatMap((one) => one.files),
    leftOut: found.flatMap((one) => one.leftOut),
    ...(problem === undefined ? {} : { problem }),
  };
}

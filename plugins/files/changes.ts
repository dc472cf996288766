import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import type { FileReading, JsonValue } from "agnes/kit";

import { fileFailure } from "./failures.ts";

/** What tells whether a file is still the one that was read. */
export interface Fingerprint {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** When its content or its attributes changed; nothing but the system sets it, so a copied time stamp shows. */
  readonly changedAtMs: number;
  readonly inode: number;
  /** Only when time and size alone could miss a change: the file was written just before it was looked at. */
  readonly sha256?: string;
}

/** What a read left behind: which files, as they were, read in which way. */
export interface ReadState {
  /** How the files were read. */
  readonly reading: FileReading;
  /** A digest of the options that decide how they are read. */
  readonly settings: string;
  /** What was asked of the rows: columns and conditions. */
  readonly conditions: string;
  readonly files: ReadonlyMap<string, Fingerprint>;
  /** The lists of column names that files have, and by origin which one a file has. */
  readonly layouts?: readonly (readonly string[])[];
  readonly layoutOf?: Readonly<Record<string, number>>;
}

/** What is to be read: `kept` and `changed` are origins; `isUnchanged` when all published rows stay as they are. */
export interface ReadPlan {
  readonly changed: readonly string[];
  readonly kept: readonly string[];
  readonly isUnchanged: boolean;
}

/** Within this time a second write may leave the same time stamp behind. */
const TIME_STAMP_MS = 2000;

/** How many files are looked at at once. */
const LOOKS = 32;

/** What a look at files takes into account. */
export interface LookOptions {
  readonly now: () => Date;
  /** What the last read saw, by origin; saves reading files whose content is not in doubt. */
  readonly before?: ReadonlyMap<string, Fingerprint> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Looks at files, given as origin and path, with one `stat` each.
 * @throws `file_failed` for one that is gone or cannot be looked at
 */
export async function lookAtFiles(
  files: readonly (readonly [origin: string, path: string])[],
  { now, before, signal }: LookOptions,
): Promise<ReadonlyMap<string, Fingerprint>> {
  const seen = new Map<string, Fingerprint>(files.map(([origin]) => [origin, NOT_SEEN]));
  const queue = files.values();
  const work = async () => {
    for (const [origin, path] of queue) {
      seen.set(origin, await fingerprint(path, { now: now(), before: before?.get(origin), signal }));
    }
  };
  await Promise.all(Array.from({ length: LOOKS }, work));
  return seen;
}

const NOT_SEEN: Fingerprint = { sizeBytes: 0, modifiedAtMs: 0, changedAtMs: 0, inode: 0 };

/**
 * Looks at a file. `before`, of the last read, saves reading the file when its content is in doubt; the result is
 * then equal to it exactly if the file is the same.
 *
 * @throws `file_failed`
 */
export async function fingerprint(
  path: string,
  options: { readonly now: Date; readonly before?: Fingerprint | undefined; readonly signal: AbortSignal },
): Promise<Fingerprint> {
  options.signal.throwIfAborted();
  const found = await stat(path).catch((error: unknown) => {
    throw fileFailure("look at", path, error);
  });
  const seen = {
    sizeBytes: found.size,
    modifiedAtMs: found.mtimeMs,
    changedAtMs: found.ctimeMs,
    inode: found.ino,
  };
  const isInDoubt =
    isRecent(seen, options.now) || (options.before?.sha256 !== undefined && sameLook(seen, options.before));
  return isInDoubt ? { ...seen, sha256: await sha256Of(path, options.signal) } : seen;
}

/** Decides what to read from what was read before (`null`: nothing) and what is there. */
export function planRead(before: ReadState | null, now: ReadState): ReadPlan {
  if (before === null || !sameReading(before, now)) {
    return { changed: [...now.files.keys()], kept: [], isUnchanged: false };
  }
  const changed: string[] = [];
  const kept: string[] = [];
  for (const [origin, seen] of now.files)
    (isSame(before.files.get(origin), seen) ? kept : changed).push(origin);
  return { changed, kept, isUnchanged: changed.length === 0 && before.files.size === now.files.size };
}

/** The state as it is kept with the published rows. */
export function writeState(state: ReadState, now: Date): JsonValue {
  const settled = ({ sha256, ...seen }: Fingerprint) =>
    sha256 !== undefined && isRecent(seen, now) ? { ...seen, sha256 } : seen;
  return {
    version: 3,
    reading: state.reading as unknown as JsonValue,
    settings: state.settings,
    conditions: state.conditions,
    layouts: state.layouts ?? [],
    layoutOf: state.layoutOf ?? {},
    files: Object.fromEntries([...state.files].map(([origin, seen]) => [origin, settled(seen)])),
  };
}

/** Reads back what `writeState` wrote; `null` for anything else, which means a full read. */
export function parseState(state: JsonValue | undefined): ReadState | null {
  const found = state as KeptState | null | undefined;
  if (found?.version !== 3 || typeof found.files !== "object" || found.files === null) return null;
  const { reading, settings, conditions, layouts, layoutOf, files } = found;
  return { reading, settings, conditions, layouts, layoutOf, files: new Map(Object.entries(files)) };
}

type KeptState = Required<Omit<ReadState, "files">> & {
  readonly version: unknown;
  readonly files: Readonly<Record<string, Fingerprint>>;
};

/** Whether rows that were read before look as they would now. Notes are for people. */
function sameReading(before: ReadState, now: ReadState): boolean {
  const decisive = ({ reading: { format, csv, columns }, settings, conditions }: ReadState) =>
    JSON.stringify([format, csv, columns, settings, conditions]);
  return decisive(before) === decisive(now);
}

/** A short name for a value: the same for equal values. */
export function digest(value: JsonValue): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

const isRecent = ({ modifiedAtMs, changedAtMs }: Fingerprint, now: Date) =>
  Math.max(modifiedAtMs, changedAtMs) > now.getTime() - TIME_STAMP_MS;
const sameLook = (one: Fingerprint, other: Fingerprint) =>
  one.sizeBytes === other.sizeBytes &&
  one.modifiedAtMs === other.modifiedAtMs &&
  one.changedAtMs === other.changedAtMs &&
  one.inode === other.inode;

const isSame = (known: Fingerprint | undefined, seen: Fingerprint) =>
  known !== undefined && sameLook(known, seen) && known.sha256 === (seen.sha256 ?? known.sha256);

async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path), hash, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw fileFailure("read", path, error);
  }
  return hash.digest("hex");
}

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import type { JsonValue } from "agnes/kit";

/** What tells whether a file is still the one that was read. */
export interface Fingerprint {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly inode: number;
  /** Only when time and size alone could miss a change: the file was written just before it was looked at. */
  readonly sha256?: string;
}

/** What a read left behind: which files, as they were, read in which way. */
export interface ReadState {
  /** A digest of all that decides what the rows of a file look like. */
  readonly reading: string;
  readonly files: ReadonlyMap<string, Fingerprint>;
}

/** What is to be read: `kept` and `changed` are origins; `isUnchanged` when all published rows stay as they are. */
export interface ReadPlan {
  readonly changed: readonly string[];
  readonly kept: readonly string[];
  readonly isUnchanged: boolean;
}

/** Within this time a second write may leave the same time stamp behind. */
const TIME_STAMP_MS = 2000;

/**
 * Looks at a file. `before`, of the last read, saves reading the file when its content is in doubt; the result is
 * then equal to it exactly if the file is the same.
 */
export async function fingerprint(
  path: string,
  options: { readonly now: Date; readonly before?: Fingerprint | undefined; readonly signal: AbortSignal },
): Promise<Fingerprint> {
  const { size, mtimeMs, ino } = await stat(path);
  const seen = { sizeBytes: size, modifiedAtMs: mtimeMs, inode: ino };
  const isInDoubt =
    isRecent(mtimeMs, options.now) ||
    (options.before?.sha256 !== undefined && sameLook(seen, options.before));
  return isInDoubt ? { ...seen, sha256: await sha256Of(path, options.signal) } : seen;
}

/** Decides what to read from what was read before (`null`: nothing) and what is there. */
export function planRead(before: ReadState | null, now: ReadState): ReadPlan {
  if (before === null || before.reading !== now.reading) {
    return { changed: [...now.files.keys()], kept: [], isUnchanged: false };
  }
  const isSame = ([origin, seen]: readonly [string, Fingerprint]) => {
    const known = before.files.get(origin);
    return known !== undefined && sameLook(known, seen) && known.sha256 === (seen.sha256 ?? known.sha256);
  };
  const entries = [...now.files];
  const kept = entries.filter(isSame).map(([origin]) => origin);
  const changed = entries.filter((entry) => !isSame(entry)).map(([origin]) => origin);
  return { changed, kept, isUnchanged: changed.length === 0 && before.files.size === now.files.size };
}

/** The state as it is kept with the published rows. */
export function writeState(state: ReadState, now: Date): JsonValue {
  const settled = ({ sha256, ...seen }: Fingerprint) =>
    sha256 !== undefined && isRecent(seen.modifiedAtMs, now) ? { ...seen, sha256 } : seen;
  return {
    version: 1,
    reading: state.reading,
    files: Object.fromEntries([...state.files].map(([origin, seen]) => [origin, settled(seen)])),
  };
}

/** Reads back what `writeState` wrote; `null` for anything else, which means a full read. */
export function parseState(state: JsonValue | undefined): ReadState | null {
  const found = state as { version?: unknown; reading?: unknown; files?: unknown } | null | undefined;
  if (found?.version !== 1 || typeof found.reading !== "string" || typeof found.files !== "object")
    return null;
  return {
    reading: found.reading,
    files: new Map(Object.entries(found.files as Record<string, Fingerprint>)),
  };
}

/** A short name for a value: the same for equal values. */
export function digest(value: JsonValue): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

const isRecent = (modifiedAtMs: number, now: Date) => modifiedAtMs > now.getTime() - TIME_STAMP_MS;
const sameLook = (one: Fingerprint, other: Fingerprint) =>
  one.sizeBytes === other.sizeBytes && one.modifiedAtMs === other.modifiedAtMs && one.inode === other.inode;

async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest("hex");
}

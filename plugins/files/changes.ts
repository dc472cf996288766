import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { parseFileReading, type FileReading, type JsonValue } from "agnes/kit";
import * as v from "valibot";

import { fileFailure } from "./failures.ts";

/** The attributes of a file that identify the version that was read. */
export interface Fingerprint {
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  /** When the content or the attributes changed. Only the system sets it, so it reveals a restored modification time. */
  readonly changedAtMs: number;
  readonly inode: number;
  /** Only if times and size could miss a change, because the file was written just before its attributes were read. */
  readonly sha256?: string;
}

/** The state that a read keeps: its files, their fingerprints and how they were read. */
export interface ReadState {
  /** How the files were read. */
  readonly reading: FileReading;
  /** A digest of the options that affect how the files are read. */
  readonly settings: string;
  /** The requested columns and conditions. */
  readonly conditions: string;
  readonly files: ReadonlyMap<string, Fingerprint>;
  /** The distinct lists of column names of the files. */
  readonly layouts?: readonly (readonly string[])[];
  /** The index in `layouts` of each file, by origin. */
  readonly layoutOf?: Readonly<Record<string, number>>;
}

/** The files to read: `kept` and `changed` are origins. `isUnchanged` if all published rows stay the same. */
export interface ReadPlan {
  readonly changed: readonly string[];
  readonly kept: readonly string[];
  readonly isUnchanged: boolean;
}

/** A second write in this time may produce the same time stamp. */
const TIME_STAMP_MS = 2000;

/** The number of files whose attributes are read in parallel. */
const STATS_IN_PARALLEL = 32;

/** Options of `fingerprintFiles`. */
export interface FingerprintOptions {
  readonly now: () => Date;
  /** The fingerprints of the last read, by origin; avoids hashing files that certainly changed. */
  readonly before?: ReadonlyMap<string, Fingerprint> | undefined;
  readonly signal: AbortSignal;
}

/**
 * Returns the fingerprints of files, with one `stat` each.
 * @throws `file_failed` for a file that is missing or whose attributes cannot be read
 */
export async function fingerprintFiles(
  files: readonly (readonly [origin: string, path: string])[],
  { now, before, signal }: FingerprintOptions,
): Promise<ReadonlyMap<string, Fingerprint>> {
  const seen = new Map<string, Fingerprint>(files.map(([origin]) => [origin, NOT_SEEN]));
  const queue = files.values();
  const work = async () => {
    for (const [origin, path] of queue) {
      seen.set(origin, await fingerprint(path, { now: now(), before: before?.get(origin), signal }));
    }
  };
  await Promise.all(Array.from({ length: STATS_IN_PARALLEL }, work));
  return seen;
}

const NOT_SEEN: Fingerprint = { sizeBytes: 0, modifiedAtMs: 0, changedAtMs: 0, inode: 0 };

/**
 * Returns the fingerprint of a file. It includes a hash of the content if the attributes may miss a change, or if they
 * equal those of `before` and `before` has a hash.
 *
 * @throws `file_failed`
 */
export async function fingerprint(
  path: string,
  options: { readonly now: Date; readonly before?: Fingerprint | undefined; readonly signal: AbortSignal },
): Promise<Fingerprint> {
  options.signal.throwIfAborted();
  const found = await stat(path).catch((error: unknown) => {
    throw fileFailure("read the attributes of", path, error);
  });
  const seen = {
    sizeBytes: found.size,
    modifiedAtMs: found.mtimeMs,
    changedAtMs: found.ctimeMs,
    inode: found.ino,
  };
  const isInDoubt =
    isRecent(seen, options.now) ||
    (options.before?.sha256 !== undefined && sameAttributes(seen, options.before));
  return isInDoubt ? { ...seen, sha256: await sha256Of(path, options.signal) } : seen;
}

/** Compares the state of the last read (`null`: none) with the current files and plans the next read. */
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

/** Serializes the state that is kept with the published rows. */
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

/** Parses the result of `writeState`. Returns `null` for any other value, which causes a full read. */
export function parseState(state: JsonValue | undefined): ReadState | null {
  if (!v.is(keptState, state)) return null;
  const { settings, conditions, layouts, layoutOf } = state;
  const reading = parseFileReading(state.reading as JsonValue);
  if (reading === null) return null;
  const files = new Map(Object.entries(state.files as Readonly<Record<string, Fingerprint>>));
  return { reading, settings, conditions, layouts, layoutOf, files };
}

const keptState = v.looseObject({
  version: v.literal(3),
  reading: v.looseObject({}),
  settings: v.string(),
  conditions: v.string(),
  layouts: v.array(v.array(v.string())),
  layoutOf: v.record(v.string(), v.number()),
  files: v.record(
    v.string(),
    v.looseObject({
      sizeBytes: v.number(),
      modifiedAtMs: v.number(),
      changedAtMs: v.number(),
      inode: v.number(),
      sha256: v.optional(v.string()),
    }),
  ),
});

/** Whether a read today returns the same rows for unchanged files. Notes do not affect the rows. */
function sameReading(before: ReadState, now: ReadState): boolean {
  const decisive = ({ reading: { format, csv, columns }, settings, conditions }: ReadState) =>
    JSON.stringify([format, csv, columns, settings, conditions]);
  return decisive(before) === decisive(now);
}

/** Returns a hash of a value, equal for equal values. */
export function digest(value: JsonValue): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 32);
}

const isRecent = ({ modifiedAtMs, changedAtMs }: Fingerprint, now: Date) =>
  Math.max(modifiedAtMs, changedAtMs) > now.getTime() - TIME_STAMP_MS;
const sameAttributes = (one: Fingerprint, other: Fingerprint) =>
  one.sizeBytes === other.sizeBytes &&
  one.modifiedAtMs === other.modifiedAtMs &&
  one.changedAtMs === other.changedAtMs &&
  one.inode === other.inode;

const isSame = (known: Fingerprint | undefined, seen: Fingerprint) =>
  known !== undefined && sameAttributes(known, seen) && known.sha256 === (seen.sha256 ?? known.sha256);

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

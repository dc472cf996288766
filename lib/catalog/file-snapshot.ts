import { createHash } from "node:crypto";
import { join } from "node:path";

import { publishFile, TEMPORARY_SUFFIX, type Host } from "../base/mod.ts";
import { linesOf } from "./lines.ts";
import { MaterializedIndex } from "./materialized-index.ts";
import { keyOf } from "./schema.ts";
import type { CatalogSchema, JsonRecord } from "./storage.ts";

/** Bytes written between two fsyncs. */
const CHUNK_SIZE = 8 * 1024 * 1024;
const KEPT = 2;

type Row =
  readonly [version: number, record: JsonRecord] | readonly [version: number, gone: null, key: string];

/** The location of a catalog's snapshots. */
export interface SnapshotPlace {
  readonly directory: string;
  readonly catalog: string;
  readonly schema: CatalogSchema;
  readonly host: Pick<Host, "files" | "random" | "now">;
}

/** A temporary file older than this is left over from a killed writer. */
const ABANDONED_MS = 60 * 60 * 1000;

/** The sequence numbers of the snapshots, newest first. */
export async function listSnapshots(place: SnapshotPlace): Promise<readonly number[]> {
  const names = (await place.host.files.list(place.directory)) ?? [];
  return names
    .filter((name) => /^\d{12}\.jsonl$/.test(name))
    .map((name) => Number.parseInt(name, 10))
    .reverse();
}

/** The path of the snapshot at a sequence number. */
export function snapshotPath(place: SnapshotPlace, sequence: number): string {
  return join(place.directory, `${String(sequence).padStart(12, "0")}.jsonl`);
}

/** Writes a snapshot of an index, atomically, and removes old snapshots; see `writeState`. */
export async function writeSnapshot(
  place: SnapshotPlace,
  index: MaterializedIndex,
  settle: (sequence: number) => Promise<void>,
): Promise<void> {
  await writeState(place, snapshotPath(place, index.sequence), index, settle);
  for (const old of (await listSnapshots(place)).slice(KEPT)) {
    await place.host.files.remove(snapshotPath(place, old));
  }
}

/**
 * Writes the state of an index to a file, atomically.
 * @param settle makes the entries in the state durable
 */
export async function writeState(
  place: SnapshotPlace,
  path: string,
  index: MaterializedIndex,
  settle: (sequence: number) => Promise<void>,
): Promise<void> {
  const { files } = place.host;
  const { forgotten, sequence } = index;
  const [rows, tombstones] = [index.rows(), index.tombstones()];
  const first = {
    ...header(place, sequence),
    // Earlier versions treat a snapshot with this field as damaged, and read the log.
    ...(forgotten === 0 ? {} : { forgotten }),
    rows: rows.length + tombstones.length,
  };
  await publishFile(place.host, path, async (temporary) => {
    const hash = createHash("sha256");
    let chunk = `${JSON.stringify(first)}\n`;
    const flush = async () => {
      hash.update(chunk);
      await files.append(temporary, chunk);
      chunk = "";
    };
    const lines = function* () {
      for (const { version, text } of rows) yield `[${version},${text}]\n`;
      for (const [key, version] of tombstones) yield `[${version},null,${JSON.stringify(key)}]\n`;
    };
    for (const line of lines()) {
      chunk += line;
      if (chunk.length >= CHUNK_SIZE) await flush();
    }
    await flush();
    await settle(sequence);
    await files.append(temporary, `${JSON.stringify({ end: sequence, sha256: hash.digest("hex") })}\n`);
  });
}

/** Loads the index at a sequence number from a file, or returns the damage; `null` if the file does not exist. */
export async function loadState(
  place: SnapshotPlace,
  path: string,
  sequence: number,
): Promise<MaterializedIndex | { readonly damage: string } | null> {
  const bytes = await place.host.files.read(path);
  if (bytes === null) return null;
  const end = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const sha256 = createHash("sha256").update(bytes.subarray(0, end)).digest("hex");
  const trailer = new TextDecoder().decode(bytes.subarray(end, end + 1000)).trimEnd();
  if (trailer !== JSON.stringify({ end: sequence, sha256 })) {
    return {
      damage: trailer.startsWith('{"end":') ? "its checksum does not match its content" : "it is truncated",
    };
  }
  return restored(place, sequence, linesOf(bytes.subarray(0, end)));
}

/** Removes temporary files of killed writers. */
export async function removeAbandoned(place: SnapshotPlace): Promise<void> {
  const { files, now } = place.host;
  for (const name of (await files.list(place.directory)) ?? []) {
    if (!name.endsWith(TEMPORARY_SUFFIX)) continue;
    const path = join(place.directory, name);
    const stat = await files.stat(path);
    if (stat !== null && now().getTime() - stat.modifiedAtMs > ABANDONED_MS) await files.remove(path);
  }
}

function restored(
  place: SnapshotPlace,
  sequence: number,
  lines: Iterable<string>,
): MaterializedIndex | { readonly damage: string } {
  const index = new MaterializedIndex(place.schema);
  let forgotten: number | null = null;
  for (const line of lines) {
    if (forgotten === null) {
      const {
        rows: _rows,
        forgotten: upTo,
        ...found
      } = JSON.parse(line) as { forgotten?: number; rows: number };
      if (JSON.stringify(found) !== JSON.stringify(header(place, sequence))) {
        return { damage: "it belongs to another catalog or schema" };
      }
      forgotten = upTo ?? 0;
      continue;
    }
    const [version, record, key] = JSON.parse(line) as Row;
    if (record === null) index.put(key, version, null);
    else index.put(keyOf(place.schema, record), version, record, line.slice(line.indexOf(",") + 1, -1));
  }
  index.restored(sequence, forgotten ?? 0);
  return index;
}

function header(place: SnapshotPlace, sequence: number): object {
  return { snapshot: 1, catalog: place.catalog, schema: place.schema, sequence };
}

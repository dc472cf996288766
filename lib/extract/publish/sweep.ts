import { join } from "node:path";

import { isAgnesError, publishFile, TEMPORARY_SUFFIX, type Host } from "../../base/mod.ts";
import { openDatabase } from "../../duckdb/mod.ts";
import type { ExtractServices } from "../job/services.ts";
import { readPartPaths } from "../state/read-extract.ts";
import { dropOldGenerations } from "./publish.ts";
import type { ExtractState } from "../format/extract-state.ts";
import {
  dataDirectory,
  extractPath,
  generationNumber,
  generationPath,
  generationsDirectory,
  PART_GRACE_MS,
  readsDirectory,
  relativePartPath,
  tableOfRead,
} from "../format/paths.ts";

/** When each file was first found unreferenced, in milliseconds, by relative path. */
type Unreferenced = Readonly<Record<string, number>>;

/** The actions of a sweep. */
export interface SweepPlan {
  readonly remove: readonly string[];
  readonly remember: Unreferenced;
}

/** Decides which part files to remove: those that have been unreferenced for the whole grace period. */
export function planSweep(
  present: readonly string[],
  referenced: ReadonlySet<string>,
  known: Unreferenced,
  now: { readonly ms: number; readonly graceMs: number },
): SweepPlan {
  const remove: string[] = [];
  const remember: Record<string, number> = {};
  for (const path of present) {
    if (referenced.has(path)) continue;
    // If the clock was set back, the recorded time may be in the future.
    const since = Math.min(known[path] ?? now.ms, now.ms);
    if (now.ms - since >= now.graceMs) remove.push(path);
    else remember[path] = since;
  }
  return { remove, remember };
}

/** Removes old generations and parts. Failures are only logged, because the published data is complete. */
export async function sweepPublished(services: ExtractServices, state: ExtractState): Promise<void> {
  try {
    await dropOldGenerations(services.host, state.directory, state.generation.number);
    await sweepParts(services, state);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    services.log.warn("old parts could not be removed", { path: extractPath(state.directory), error });
  }
}

/** Removes temporary files of crashed runs. The caller must hold the lock. */
export async function sweepTemporary({ files }: Host, directory: string): Promise<void> {
  const folders = [directory, generationsDirectory(directory)];
  for (const name of (await files.list(dataDirectory(directory))) ?? [])
    folders.push(join(dataDirectory(directory), name));
  for (const folder of folders) {
    for (const name of (await files.list(folder)) ?? []) {
      if (!/\.tmp(\.wal)?$/.test(name)) continue;
      const path = join(folder, name);
      if ((await files.stat(path))?.isDirectory === true) await files.removeDirectory(path);
      else await files.remove(path);
    }
  }
}

/** Removes parts that no kept generation has referred to for the grace period. */
async function sweepParts(
  services: ExtractServices,
  state: ExtractState,
  graceMs: number = PART_GRACE_MS,
): Promise<void> {
  const { files } = services.host;
  const { directory } = state;
  const present = await listParts(services.host, directory);
  const current = new Set(state.tables.flatMap((table) => table.parts.map((part) => part.path)));
  const record = join(directory, ".unreferenced.json");
  // Usually all parts are in use, and earlier generations need not be opened.
  if (present.every((path) => current.has(path))) return;
  const referenced = await referencedByKept(services, directory);
  if (referenced === null) return;
  for (const path of current) referenced.add(path);
  const known = await readRecord(services.host, record);
  const plan = planSweep(present, referenced, known, { ms: services.host.now().getTime(), graceMs });
  for (const path of plan.remove) await files.remove(join(directory, path));
  if (Object.keys(plan.remember).length === 0 && Object.keys(known).length === 0) return;
  await publishFile(services.host, record, JSON.stringify(plan.remember));
}

/** How long to keep the files of a failed or stopped read. */
const READ_KEPT_MS: number = 7 * 24 * 60 * 60 * 1000;

/**
 * Removes files of reads: those of completed tables, and those that are older than a week. Failures are only logged,
 * because the published data is complete.
 */
export async function sweepReads(
  { host, log }: ExtractServices,
  directory: string,
  tables: readonly { readonly name: string; readonly status: string }[],
): Promise<void> {
  const ended = new Set(
    tables.filter(({ status }) => status !== "failed").map(({ name }) => name.toLowerCase()),
  );
  const folder = readsDirectory(directory);
  try {
    for (const name of (await host.files.list(folder)) ?? []) {
      const path = join(folder, name);
      const modifiedAtMs = (await host.files.stat(path))?.modifiedAtMs ?? 0;
      const isOld = host.now().getTime() - modifiedAtMs >= READ_KEPT_MS;
      if (ended.has(tableOfRead(name)) || isOld) await host.files.removeDirectory(path);
    }
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    log.warn("files of earlier reads could not be removed", { path: folder, error });
  }
}

async function listParts({ files }: Host, directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const folder of (await files.list(dataDirectory(directory))) ?? []) {
    for (const name of (await files.list(join(dataDirectory(directory), folder))) ?? []) {
      if (name.endsWith(".parquet") && !name.endsWith(TEMPORARY_SUFFIX)) {
        found.push(relativePartPath(folder, name));
      }
    }
  }
  return found;
}

/** The parts that kept generations refer to; null if one cannot be read, so that no parts are removed. */
async function referencedByKept(services: ExtractServices, directory: string): Promise<Set<string> | null> {
  const referenced = new Set<string>();
  const { files } = services.host;
  await using database = await openDatabase({ files, limits: { memoryMb: 256, threads: 1 } });
  await using connection = await database.connect();
  for (const name of (await files.list(generationsDirectory(directory))) ?? []) {
    const number = generationNumber(name);
    if (number === null) continue;
    const path = generationPath(directory, number);
    try {
      for (const part of await readPartPaths(connection, path)) referenced.add(part);
    } catch (error) {
      services.log.warn("an earlier generation cannot be read, so no parts are removed", { path, error });
      return null;
    }
  }
  return referenced;
}

async function readRecord({ files }: Host, path: string): Promise<Unreferenced> {
  const bytes = await files.read(path);
  if (bytes === null) return {};
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Unreferenced;
  } catch {
    // Without the record the grace period starts again.
    return {};
  }
}

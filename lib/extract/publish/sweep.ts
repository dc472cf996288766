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
  relativePartPath,
} from "../format/paths.ts";

/** How long a part stays after the last kept generation let go of it; someone may still be reading it. */
const SWEEP_GRACE_MS: number = 60 * 60 * 1000;

/** When each file was first seen without a generation that needs it; milliseconds by relative path. */
type Unreferenced = Readonly<Record<string, number>>;

/** What a sweep is to do. */
export interface SweepPlan {
  readonly remove: readonly string[];
  readonly remember: Unreferenced;
}

/** Decides which part files go: those no kept generation has needed for the whole grace period. */
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
    // A clock that was set back must not keep a file for ever.
    const since = Math.min(known[path] ?? now.ms, now.ms);
    if (now.ms - since >= now.graceMs) remove.push(path);
    else remember[path] = since;
  }
  return { remove, remember };
}

/** Removes what nobody needs any more. What is published is complete without it, so a failure is only reported. */
export async function sweepPublished(services: ExtractServices, state: ExtractState): Promise<void> {
  try {
    await dropOldGenerations(services.host, state.directory, state.generation.number);
    await sweepParts(services, state);
  } catch (error) {
    if (!isAgnesError(error)) throw error;
    services.log.warn("old parts could not be swept", { path: extractPath(state.directory), error });
  }
}

/** Removes what a dead run left under temporary names. Only its lock's holder may call it. */
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

/** Removes parts that no kept generation refers to, after the grace period. */
async function sweepParts(
  services: ExtractServices,
  state: ExtractState,
  graceMs: number = SWEEP_GRACE_MS,
): Promise<void> {
  const { files } = services.host;
  const { directory } = state;
  const present = await listParts(services.host, directory);
  const current = new Set(state.tables.flatMap((table) => table.parts.map((part) => part.path)));
  const memory = join(directory, ".unreferenced.json");
  // Most of the time nothing is superfluous, and no earlier generation need be opened.
  if (present.every((path) => current.has(path))) return;
  const referenced = await referencedByKept(services, directory);
  if (referenced === null) return;
  for (const path of current) referenced.add(path);
  const known = await readMemory(services.host, memory);
  const plan = planSweep(present, referenced, known, { ms: services.host.now().getTime(), graceMs });
  for (const path of plan.remove) await files.remove(join(directory, path));
  if (Object.keys(plan.remember).length === 0 && Object.keys(known).length === 0) return;
  await publishFile(services.host, memory, JSON.stringify(plan.remember));
}

/** How long the files of a read that failed or stopped wait for the next one. */
const READ_KEPT_MS: number = 7 * 24 * 60 * 60 * 1000;

/**
 * Removes the files that reads kept: of tables that were read to the end, and of those that nobody read for a week.
 * What is published is complete without it, so a failure is only reported.
 */
export async function sweepReads(
  { host, log }: ExtractServices,
  directory: string,
  tables: readonly { readonly name: string; readonly status: string }[],
): Promise<void> {
  const ended = new Set(
    tables.filter(({ status }) => status !== "failed").map(({ name }) => name.toLowerCase()),
  );
  const folder = join(directory, "reads");
  try {
    for (const name of (await host.files.list(folder)) ?? []) {
      const path = join(folder, name);
      const modifiedAtMs = (await host.files.stat(path))?.modifiedAtMs ?? 0;
      const isOld = host.now().getTime() - modifiedAtMs >= READ_KEPT_MS;
      if (ended.has(name) || isOld) await host.files.removeDirectory(path);
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

/** Null when one kept generation cannot be read: what it needs is then unknown, and nothing may go. */
async function referencedByKept(services: ExtractServices, directory: string): Promise<Set<string> | null> {
  const referenced = new Set<string>();
  await using database = await openDatabase({ limits: { memoryMb: 256, threads: 1 } });
  await using connection = await database.connect();
  for (const name of (await services.host.files.list(generationsDirectory(directory))) ?? []) {
    const number = generationNumber(name);
    if (number === null) continue;
    const path = generationPath(directory, number);
    try {
      for (const part of await readPartPaths(connection, path)) referenced.add(part);
    } catch (error) {
      services.log.warn("an earlier generation cannot be read, so no part is swept", { path, error });
      return null;
    }
  }
  return referenced;
}

async function readMemory({ files }: Host, path: string): Promise<Unreferenced> {
  const bytes = await files.read(path);
  if (bytes === null) return {};
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Unreferenced;
  } catch {
    // Only the grace period starts anew.
    return {};
  }
}

import { randomUUID } from "node:crypto";
import { join, resolve } from "node:path";

import { AgnesError, isAgnesError, nodeFiles } from "../../base/mod.ts";
import { acquireLock } from "../../duckdb/mod.ts";
import { generationNumber, generationPath, generationsDirectory, lockPath } from "../format/paths.ts";
import { dropOldGenerations, publish } from "../publish/publish.ts";
import type { ExtractServices } from "../services.ts";
import type { ExtractState, Generation } from "../format/extract-state.ts";
import { readExtract, readExtractFile } from "./read-extract.ts";

/** One generation that can be looked at, and whether it is the published one. */
export interface ListedGeneration extends Generation {
  readonly current: boolean;
  readonly tables: number;
  readonly rows: number;
  readonly sizeBytes: number;
}

/** The generations of an extract that are kept, newest first; empty when nothing was published. */
export async function listGenerations(directory: string): Promise<readonly ListedGeneration[]> {
  const found = new Map<number, ListedGeneration>();
  for (const number of await keptNumbers(directory)) {
    try {
      found.set(number, listed(await readExtractFile(directory, generationPath(directory, number)), false));
    } catch (error) {
      // One that went away meanwhile, or cannot be read, cannot be chosen either.
      if (!isAgnesError(error, "extract_unreadable")) throw error;
    }
  }
  const current = await readExtract(directory);
  if (current !== null) found.set(current.generation.number, listed(current, true));
  return [...found.values()].sort((a, b) => b.number - a.number);
}

/**
 * Publishes an earlier generation again, as a new one, and gives its number.
 *
 * The cursors go back with the data, so the next run reads again what came after.
 * @throws `generation_unknown`, `generation_incomplete`, `locked`
 */
export async function rollbackExtract(
  services: ExtractServices,
  directory: string,
  generation: number,
): Promise<number> {
  const root = resolve(directory);
  const { host } = services;
  await host.files.makeDirectory(root);
  await using _lock = await acquireLock(lockPath(root), `the extract in ${root}`);
  const known = await keptNumbers(root);
  const current = await currentNumber(root);
  if (!known.includes(generation)) {
    throw new AgnesError("generation_unknown", { directory: root, generation, known });
  }
  const old = await readExtractFile(root, generationPath(root, generation));
  const missing: string[] = [];
  for (const part of old.tables.flatMap((table) => table.parts)) {
    const stat = await host.files.stat(join(root, part.path));
    if (stat?.sizeBytes !== part.sizeBytes) missing.push(part.path);
  }
  if (missing.length > 0) throw new AgnesError("generation_incomplete", { generation, missing });
  const number = Math.max(current ?? 0, ...known) + 1;
  const state: ExtractState = {
    ...old,
    directory: root,
    generation: {
      ...old.generation,
      number,
      kind: "rollback",
      runId: randomUUID(),
      startedAt: host.now(),
      finishedAt: host.now(),
      directory: root,
    },
  };
  await publish(services, state, {
    previous: current,
    verify: new Set(old.tables.filter((t) => t.mode !== "remote").map((t) => t.name)),
  });
  await dropOldGenerations(services.host, root, number);
  return number;
}

async function currentNumber(directory: string): Promise<number | null> {
  try {
    return (await readExtract(directory))?.generation.number ?? null;
  } catch (error) {
    // Going back is the way out of an extract that cannot be read.
    if (!isAgnesError(error, "extract_unreadable")) throw error;
    return null;
  }
}

async function keptNumbers(directory: string): Promise<readonly number[]> {
  const names = (await nodeFiles().list(generationsDirectory(directory))) ?? [];
  return names.flatMap((name) => generationNumber(name) ?? []);
}

function listed({ generation, tables }: ExtractState, current: boolean): ListedGeneration {
  return {
    ...generation,
    current,
    tables: tables.length,
    rows: tables.reduce((sum, table) => sum + table.rows, 0),
    sizeBytes: tables.reduce((sum, table) => sum + table.sizeBytes, 0),
  };
}

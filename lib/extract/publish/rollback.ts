import { join, resolve } from "node:path";

import { AgnesError, isAgnesError, randomId, type Files } from "../../base/mod.ts";
import { acquireLock, openDatabase } from "../../duckdb/mod.ts";
import type { ExtractState } from "../format/extract-state.ts";
import { generationPath, lockPath } from "../format/paths.ts";
import type { ExtractServices } from "../job/services.ts";
import { keptNumbers } from "../state/generations.ts";
import { readExtract, readExtractFile } from "../state/read-extract.ts";
import { dropOldGenerations, publish } from "./publish.ts";

/**
 * Publishes an earlier generation again as a new one and returns its number.
 *
 * The cursors are restored too, so the next run reads newer data again.
 * @param actor who requests it
 * @throws `generation_unknown`, `generation_incomplete`, `locked`
 */
export async function rollbackExtract(
  services: ExtractServices,
  directory: string,
  generation: number,
  actor: string,
): Promise<number> {
  const root = resolve(directory);
  const { host } = services;
  const { files } = host;
  await files.makeDirectory(root);
  await using _lock = await acquireLock(files, lockPath(root), `the extract in ${root}`);
  const known = await keptNumbers(files, root);
  const current = await currentNumber(files, root);
  if (!known.includes(generation)) {
    throw new AgnesError("generation_unknown", { directory: root, generation, known, current });
  }
  const old = await readExtractFile(files, root, generationPath(root, generation));
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
      actor,
      runId: randomId(host),
      startedAt: host.now(),
      finishedAt: host.now(),
      directory: root,
    },
  };
  await using database = await openDatabase({ files, limits: services.limits });
  await publish(services, database, state, {
    previous: current,
    verify: new Set(old.tables.filter((t) => t.mode !== "remote").map((t) => t.name)),
  });
  await dropOldGenerations(services.host, root, number);
  return number;
}

async function currentNumber(files: Files, directory: string): Promise<number | null> {
  try {
    return (await readExtract(files, directory))?.generation.number ?? null;
  } catch (error) {
    // A rollback can repair an extract that cannot be read.
    if (!isAgnesError(error, "extract_unreadable")) throw error;
    return null;
  }
}

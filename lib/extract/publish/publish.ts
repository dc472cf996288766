import {
  AgnesError,
  isAgnesError,
  publishFile,
  replaceDatabase,
  temporaryPath,
  type Host,
} from "../../base/mod.ts";
import type { Database } from "../../duckdb/mod.ts";
import type { ExtractServices } from "../job/services.ts";
import type { ExtractState } from "../format/extract-state.ts";
import { buildDatabase, type BuiltDatabase } from "./build-database.ts";
import {
  extractPath,
  generationNumber,
  generationPath,
  GENERATIONS_KEPT,
  generationsDirectory,
} from "../format/paths.ts";

/**
 * Makes a state the published one, by one rename. All its parts must be durable under their names already.
 *
 * Killed before the rename, the previous generation is what everybody sees; killed after it, this one is.
 *
 * @param database any that is in memory; it gets nothing
 * @param previous the number of the generation that is published now
 * @throws `rows_lost`, `disk_full`, `file_failed`; what was published before then stays
 */
export async function publish(
  services: ExtractServices,
  database: Database,
  state: ExtractState,
  options: {
    readonly previous: number | null;
    readonly verify: ReadonlySet<string>;
    readonly signal?: AbortSignal;
  },
): Promise<BuiltDatabase> {
  const { files } = services.host;
  const target = extractPath(state.directory);
  const temporary = temporaryPath(services.host, target);
  try {
    const built = await buildDatabase(services, database, temporary, state, options.verify);
    if (options.signal?.aborted === true) throw new AgnesError("aborted", { what: "the extraction" });
    if (options.previous !== null) await keepGeneration(services.host, state.directory, options.previous);
    await replaceDatabase(files, temporary, target);
    return built;
  } catch (error) {
    await files.remove(temporary).catch(() => {});
    await files.remove(`${temporary}.wal`).catch(() => {});
    throw error;
  }
}

/** Gives the published file a second name, so that it outlives the rename. */
async function keepGeneration(host: Host, directory: string, number: number): Promise<void> {
  const { files } = host;
  const kept = generationPath(directory, number);
  await files.makeDirectory(generationsDirectory(directory));
  try {
    await files.link(extractPath(directory), kept);
  } catch (error) {
    // File systems without hard links get a copy.
    if (!isAgnesError(error, "file_failed")) throw error;
    const bytes = await files.read(extractPath(directory));
    if (bytes === null) throw error;
    return publishFile(host, kept, bytes);
  }
  await files.sync(generationsDirectory(directory));
}

/** Removes generations beyond those kept. */
export async function dropOldGenerations({ files }: Host, directory: string, current: number): Promise<void> {
  for (const name of (await files.list(generationsDirectory(directory))) ?? []) {
    const number = generationNumber(name);
    if (number !== null && number < current - GENERATIONS_KEPT)
      await files.remove(generationPath(directory, number));
  }
}

import {
  AgnesError,
  eachOf,
  isAgnesError,
  publishFile,
  replaceDatabase,
  temporaryPath,
  type Files,
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
  partsDirectory,
} from "../format/paths.ts";

/** Number of folders of parts to sync at once. */
const FOLDERS_AT_ONCE = 2;

/**
 * Publishes a state atomically, by one rename. All of its parts must already be durable and have their final names.
 *
 * After a crash, readers see either the previous generation or this one.
 *
 * @param database any in-memory database; it is left unchanged
 * @param options `previous`: the number of the current generation; `verify`: names of tables whose row count is checked,
 *   among them all with parts whose names may not be durable
 * @throws `rows_lost`, `disk_full`, `file_failed`; the previous generation stays published
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
  const syncing = syncNames(files, state, options.verify);
  try {
    const built = await buildDatabase(services, database, temporary, state, options.verify);
    await syncing;
    if (options.signal?.aborted === true) throw new AgnesError("aborted", { what: "the extraction" });
    if (options.previous !== null) await keepGeneration(services.host, state.directory, options.previous);
    await replaceDatabase(files, temporary, target);
    return built;
  } catch (error) {
    await syncing.catch(() => {});
    await files.remove(temporary).catch(() => {});
    await files.remove(`${temporary}.wal`).catch(() => {});
    throw error;
  }
}

/** Makes the names of the parts of some tables durable. */
function syncNames(files: Files, state: ExtractState, tables: ReadonlySet<string>): Promise<unknown> {
  const found = state.tables.filter(({ name, parts }) => tables.has(name) && parts.length > 0);
  const syncing = eachOf(found, FOLDERS_AT_ONCE, ({ name }) =>
    files.sync(partsDirectory(state.directory, name)),
  );
  // It is awaited later.
  syncing.catch(() => {});
  return syncing;
}

/** Links the published file under a second name, so that the rename does not delete it. */
async function keepGeneration(host: Host, directory: string, number: number): Promise<void> {
  const { files } = host;
  const kept = generationPath(directory, number);
  await files.makeDirectory(generationsDirectory(directory));
  try {
    await files.link(extractPath(directory), kept);
  } catch (error) {
    // The file system may not support hard links, so the file is copied.
    if (!isAgnesError(error, "file_failed")) throw error;
    const bytes = await files.read(extractPath(directory));
    if (bytes === null) throw error;
    return publishFile(host, kept, bytes);
  }
  await files.sync(generationsDirectory(directory));
}

/** Removes all generations older than the kept ones. */
export async function dropOldGenerations({ files }: Host, directory: string, current: number): Promise<void> {
  for (const name of (await files.list(generationsDirectory(directory))) ?? []) {
    const number = generationNumber(name);
    if (number !== null && number < current - GENERATIONS_KEPT)
      await files.remove(generationPath(directory, number));
  }
}

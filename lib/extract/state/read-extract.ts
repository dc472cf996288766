import { AgnesError, isAgnesError, messageOf, type Files } from "../../base/mod.ts";
import { openDatabase, quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import type { ExtractState } from "../format/extract-state.ts";
import { extractTables } from "../format/layout.ts";
import { extractPath } from "../format/paths.ts";
import { readPaths, readState } from "../format/read-state.ts";

/**
 * Reads the published state of a source; null if nothing is published.
 *
 * Always reads one complete generation, even while the next one is being published.
 * @throws `extract_unreadable`; `extract_foreign` for a file that follows the contract but was not written by Agnes
 */
export async function readExtract(files: Files, directory: string): Promise<ExtractState | null> {
  const path = extractPath(directory);
  try {
    if ((await files.stat(path)) === null) return null;
  } catch (error) {
    throw new AgnesError("extract_unreadable", { path, reason: messageOf(error) }, { cause: error });
  }
  return readExtractFile(files, directory, path);
}

/** Reads the database of a generation; see `readExtract`. */
export async function readExtractFile(files: Files, directory: string, path: string): Promise<ExtractState> {
  try {
    await using database = await openDatabase({
      files,
      path,
      readOnly: true,
      limits: { memoryMb: 256, threads: 1 },
      settings: { enable_external_access: "false" },
    });
    await using connection = await database.connect();
    const listed = await connection.rows<{ t: string }>("SELECT table_name AS t FROM duckdb_tables()");
    const names = new Set(listed.map((row) => row.t));
    const { generation, meta, ...others } = extractTables;
    if (!names.has(generation.name)) {
      if (names.has(meta.name)) throw new AgnesError("extract_foreign", { path });
      throw new AgnesError("extract_unreadable", { path, reason: `it has no table ${meta.name}` });
    }
    const tables = [meta, ...Object.values(others)].map(({ name }) => quoteLiteral(name));
    const [view] = await connection.rows<{ v: string }>(
      `SELECT view_name AS v FROM duckdb_views() WHERE NOT internal AND view_name IN (${tables.join(", ")})`,
    );
    if (view !== undefined)
      throw new AgnesError("extract_unreadable", { path, reason: `its ${view.v} is a view, not a table` });
    return await readState(connection, directory, names);
  } catch (error) {
    if (isAgnesError(error, "extract_foreign") || isAgnesError(error, "extract_unreadable")) throw error;
    if (isAgnesError(error, "disk_full")) throw error;
    throw new AgnesError("extract_unreadable", { path, reason: messageOf(error) }, { cause: error });
  }
}

/**
 * Reads the part paths of a generation, relative to the folder of the extract. Cheaper than `readExtractFile`, and
 * reuses a connection.
 */
export async function readPartPaths(connection: Connection, path: string): Promise<readonly string[]> {
  try {
    await connection.run(`ATTACH ${quoteLiteral(path)} AS generation (READ_ONLY)`);
    const paths = await readPaths(connection, "generation");
    await connection.run("DETACH generation");
    return paths;
  } catch (error) {
    throw new AgnesError("extract_unreadable", { path, reason: messageOf(error) }, { cause: error });
  }
}

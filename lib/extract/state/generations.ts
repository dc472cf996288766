import { isAgnesError, type Files } from "../../base/mod.ts";
import type { ExtractState, Generation } from "../format/extract-state.ts";
import { generationNumber, generationPath, generationsDirectory } from "../format/paths.ts";
import { readExtract, readExtractFile } from "./read-extract.ts";

/** A kept generation. */
export interface ListedGeneration extends Generation {
  readonly current: boolean;
  readonly tables: number;
  readonly rows: number;
  readonly sizeBytes: number;
}

/** Lists the kept generations of an extract, newest first; empty if nothing was published. */
export async function listGenerations(files: Files, directory: string): Promise<readonly ListedGeneration[]> {
  const found = new Map<number, ListedGeneration>();
  for (const number of await keptNumbers(files, directory)) {
    try {
      const path = generationPath(directory, number);
      found.set(number, listed(await readExtractFile(files, directory, path), false));
    } catch (error) {
      // Generations that were removed or cannot be read are not listed.
      if (!isAgnesError(error, "extract_unreadable")) throw error;
    }
  }
  const current = await readExtract(files, directory);
  if (current !== null) found.set(current.generation.number, listed(current, true));
  return [...found.values()].sort((a, b) => b.number - a.number);
}

/** Reads an earlier generation; null if it is not kept. @throws `extract_unreadable` */
export async function readGeneration(
  files: Files,
  directory: string,
  number: number,
): Promise<ExtractState | null> {
  const path = generationPath(directory, number);
  try {
    return (await files.stat(path)) === null ? null : await readExtractFile(files, directory, path);
  } catch (error) {
    // The next publish may remove it meanwhile.
    if ((await files.stat(path)) === null) return null;
    throw error;
  }
}

/** Lists the numbers of the kept earlier generations. */
export async function keptNumbers(files: Files, directory: string): Promise<readonly number[]> {
  const names = (await files.list(generationsDirectory(directory))) ?? [];
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

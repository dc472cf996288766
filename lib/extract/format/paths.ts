import { join, posix } from "node:path";

/** The name of the file in an extract's folder. */
export const EXTRACT_FILE = "extract.duckdb";

/** The file that everything reads. */
export const extractPath = (directory: string): string => join(directory, EXTRACT_FILE);
/** Where earlier generations stay. */
export const generationsDirectory = (directory: string): string => join(directory, "generations");
/** The file of an earlier generation. */
export const generationPath = (directory: string, number: number): string =>
  join(generationsDirectory(directory), `${number}.duckdb`);
/** The number of an earlier generation, by the name of its file; null for another file. */
export const generationNumber = (name: string): number | null => {
  const digits = /^(\d+)\.duckdb$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
};
/** The lock that a run holds. */
export const lockPath = (directory: string): string => join(directory, ".lock");

const DATA = "data";

/** The directory that holds the parts of all tables, one folder per table. */
export const dataDirectory = (directory: string): string => join(directory, DATA);
/** The directory of a table's parts. */
export const partsDirectory = (directory: string, table: string): string => {
  // Two names that differ in case only are one table to DuckDB and may be one folder to the file system.
  return join(dataDirectory(directory), table.toLowerCase());
};
/** The path of a part relative to the folder of the extract, as extracts keep it. */
export const relativePartPath = (folder: string, name: string): string => posix.join(DATA, folder, name);

/** How many generations before the current one are kept. */
export const GENERATIONS_KEPT = 3;
/** Where the reads of a table may keep files until it is published. */
export const readDirectory = (directory: string, table: string): string =>
  join(directory, "reads", table.toLowerCase());

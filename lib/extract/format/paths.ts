import { join, posix } from "node:path";

/** The file name of an extract's database. */
export const EXTRACT_FILE = "extract.duckdb";

/** The published database of an extract. */
export const extractPath = (directory: string): string => join(directory, EXTRACT_FILE);
/** The folder of earlier generations. */
export const generationsDirectory = (directory: string): string => join(directory, "generations");
/** The database of an earlier generation. */
export const generationPath = (directory: string, number: number): string =>
  join(generationsDirectory(directory), `${number}.duckdb`);
/** Parses the number of an earlier generation from its file name; null for other files. */
export const generationNumber = (name: string): number | null => {
  const digits = /^(\d+)\.duckdb$/.exec(name)?.[1];
  return digits === undefined ? null : Number(digits);
};
/** The lock file of an extract. */
export const lockPath = (directory: string): string => join(directory, ".lock");

const DATA = "data";

/** The folder with one subfolder of parts for each table. */
export const dataDirectory = (directory: string): string => join(directory, DATA);
/** The folder of a table's parts. */
export const partsDirectory = (directory: string, table: string): string => {
  // DuckDB ignores the case of table names, and the file system may ignore it too.
  return join(dataDirectory(directory), table.toLowerCase());
};
/** The path of a part relative to the folder of the extract, as stored in `_parts`. */
export const relativePartPath = (folder: string, name: string): string => posix.join(DATA, folder, name);

/** Number of generations to keep before the current one. */
export const GENERATIONS_KEPT = 3;
/** How long to keep a part that no kept generation refers to, because queries and downloads may still read it. */
export const PART_GRACE_MS: number = 60 * 60 * 1000;
/** The folder with the folders of all reads. */
export const readsDirectory = (directory: string): string => join(directory, "reads");
/** The folder where reads of a table can keep files until the table is published. */
export const readDirectory = (directory: string, table: string): string =>
  join(readsDirectory(directory), table.toLowerCase());
/** The same for reads of its keys alone. Names of tables contain no dot. */
const KEYS_SUFFIX = ".keys";
export const keysDirectory = (directory: string, table: string): string =>
  `${readDirectory(directory, table)}${KEYS_SUFFIX}`;
/** The table of a folder in `readsDirectory`, in lower case. */
export const tableOfRead = (name: string): string =>
  name.endsWith(KEYS_SUFFIX) ? name.slice(0, -KEYS_SUFFIX.length) : name;

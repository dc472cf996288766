import { join } from "node:path";

/** The file that everything reads. */
export const extractPath = (directory: string): string => join(directory, "extract.duckdb");
/** Where earlier generations stay. */
export const generationsDirectory = (directory: string): string => join(directory, "generations");
/** The file of an earlier generation. */
export const generationPath = (directory: string, number: number): string =>
  join(generationsDirectory(directory), `${number}.duckdb`);
/** Where the reads of a table may keep files until it is published. */
export const readDirectory = (directory: string, table: string): string =>
  join(directory, "reads", table.toLowerCase());
/** The lock that a run holds. */
export const lockPath = (directory: string): string => join(directory, ".lock");

/** How many generations before the current one are kept. */
export const GENERATIONS_KEPT = 3;

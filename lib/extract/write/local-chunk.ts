import { fileRelation } from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";
import type { PublishedColumn } from "../schema/column.ts";

/** A file chunk whose bytes are on the disk. */
export type LocalChunk = FileChunk & { readonly data: string };

/** Columns by name and DuckDB type. */
export type Columns = readonly Pick<PublishedColumn, "name" | "type">[];

/** The relation of a chunk that has the columns `present`. */
export function localRelation(chunk: LocalChunk, present: Columns): string {
  const isJson = chunk.format === "json" || chunk.format === "ndjson";
  return isJson ? fileRelation(chunk, { columns: typesOf(present) }) : fileRelation(chunk);
}

/** DuckDB types by column name. */
export function typesOf(columns: Columns): Readonly<Record<string, string>> {
  return Object.fromEntries(columns.map(({ name, type }) => [name, type]));
}

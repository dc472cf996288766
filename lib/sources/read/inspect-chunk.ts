import type { Schema } from "apache-arrow";

import type { Host } from "../../base/mod.ts";
import { inspectFiles, spoolBytes, type Connection } from "../../duckdb/mod.ts";
import type { FileChunk } from "../../kit/mod.ts";

/** Returns the columns of a file chunk of an undescribed table, and the chunk as a local file. */
export async function inspectChunk(
  host: Host,
  chunk: FileChunk,
  {
    connection,
    directory,
    signal,
  }: { readonly connection: Connection; readonly directory: string; readonly signal: AbortSignal },
): Promise<{ readonly chunk: FileChunk; readonly found: Schema }> {
  const spooled = await spoolBytes(host, chunk, directory, signal);
  const { data, format, csv, types, compression, reading, constants } = spooled.chunk;
  const file = {
    path: data,
    ...(compression === undefined ? {} : { compression }),
    ...(constants === undefined ? {} : { constants }),
  };
  const { schema } = await inspectFiles(connection, [file], {
    format,
    ...(csv === undefined ? {} : { csv }),
    ...(types === undefined ? {} : { types }),
    ...(reading === undefined ? {} : { known: reading }),
    look: "whole",
    signal,
  });
  return { chunk: spooled.chunk, found: schema };
}

import type { Connection } from "../../duckdb/mod.ts";
import type { TableContext } from "../services.ts";

/** A file of less is read before anybody could look. */
const WATCHED_BYTES_MIN = 1024 * 1024;

/** Does the work that reads a file by a connection, and reports the bytes as they are read, at the end all of them. */
export async function countBytes<T>(
  context: Pick<TableContext, "services" | "onBytesRead">,
  connection: Connection,
  path: string,
  work: () => Promise<T>,
): Promise<T> {
  const fileBytes = (await context.services.host.files.stat(path))?.sizeBytes ?? 0;
  let reported = 0;
  const report = (bytes: number) => {
    context.onBytesRead(bytes - reported);
    reported = bytes;
  };
  using _ =
    fileBytes < WATCHED_BYTES_MIN
      ? null
      : await connection.watchProgress((share) => report(Math.floor(share * fileBytes)));
  const result = await work();
  report(fileBytes);
  return result;
}

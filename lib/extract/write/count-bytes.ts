import type { Connection } from "../../duckdb/mod.ts";
import type { TableJob } from "../job/job.ts";

/** A file of less is read before anybody could look. */
const WATCHED_BYTES_MIN = 1024 * 1024;

/**
 * Does the work that reads a file by a connection, and reports the bytes as they are read, at the end all of them. What
 * is looked at before, bytes that the work is to tell, counts for half of it.
 */
export async function countBytes<T>(
  { run, progress }: TableJob,
  connection: Connection,
  path: string,
  work: (onBytesScanned: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const fileBytes = (await run.services.host.files.stat(path))?.sizeBytes ?? 0;
  let reported = 0;
  const report = (bytes: number) => {
    if (bytes <= reported) return;
    progress.readBytes(bytes - reported);
    reported = bytes;
  };
  let scanned = 0;
  const onBytesScanned = (bytes: number) => {
    scanned = Math.min(fileBytes, scanned + bytes);
    report(Math.floor(scanned / 2));
  };
  using _ =
    fileBytes < WATCHED_BYTES_MIN
      ? null
      : await connection.watchProgress((share) =>
          report(Math.floor(scanned / 2 + share * (fileBytes - scanned / 2))),
        );
  const result = await work(onBytesScanned);
  report(fileBytes);
  return result;
}

import type { Connection } from "../../duckdb/mod.ts";
import type { TableJob } from "../job/job.ts";

/** The progress of smaller files is reported only at the end. */
const WATCHED_BYTES_MIN = 1024 * 1024;

/**
 * Runs `work`, which reads a file through a connection, and reports the bytes read as its progress.
 *
 * Bytes that `work` scans before the copy, which it passes to `onBytesScanned`, count half.
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

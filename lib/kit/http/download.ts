import { AgnesError, linkedController, type Host, type Log } from "../../base/mod.ts";
import type { FileChunk, ReadProgress } from "../batch.ts";
import { DiskSpace } from "./disk-space.ts";
import type { DownloadFile, HttpResponse, HttpDownloadRequest, HttpRequest } from "./http.ts";
import { spoolPath, type SpoolFile } from "./spool-file.ts";
import { Transfer, type TransferFile } from "./transfer.ts";

const CONCURRENCY = 4;

/** Services that a download uses. */
export interface DownloadServices {
  readonly host: Pick<Host, "files" | "random" | "sleep">;
  readonly log: Log;
  readonly open: (url: string, request: HttpRequest) => Promise<HttpResponse>;
}

type Files = Iterable<string | DownloadFile> | AsyncIterable<string | DownloadFile>;

/** Downloads files concurrently and yields them in the order of the list; see `Http.download`. */
export async function* downloadFiles(
  services: DownloadServices,
  files: Files,
  request: HttpDownloadRequest,
): AsyncGenerator<FileChunk, void, void> {
  const { host } = services;
  if (request.directory !== undefined) {
    await host.files.makeDirectory(request.directory);
    return yield* fetched(services, files, request, request.directory);
  }
  const { files: disk } = host;
  const directory = await disk.makeTemporaryDirectory("agnes-download-");
  let isComplete = false;
  try {
    yield* fetched(services, files, request, directory);
    isComplete = true;
  } finally {
    // If the download failed, its error is the one to report.
    await disk.removeDirectory(directory).catch((error: unknown) => {
      if (isComplete) throw error;
    });
  }
}

async function* fetched(
  services: DownloadServices,
  files: Files,
  request: HttpDownloadRequest,
  directory: string,
): AsyncGenerator<FileChunk, void, void> {
  const {
    concurrency = CONCURRENCY,
    directory: _,
    signal,
    onProgress,
    retries,
    attemptTimeoutMs,
    ...chunk
  } = request;
  const total = Array.isArray(files) ? files.length : null;
  const totalBytes = Array.isArray(files) ? sizeOf(files as readonly (string | DownloadFile)[]) : {};
  const space = new DiskSpace(services.host.files, directory);
  if (Array.isArray(files))
    await checkSpace(services, space, files as readonly (string | DownloadFile)[], directory);
  using stop = linkedController(signal);
  let done = 0;
  const onBytes = () =>
    onProgress?.({ phase: `downloading ${done + 1}${total === null ? "" : ` of ${total}`}`, ...totalBytes });
  const start = (file: TransferFile): Running => {
    const transfer = new Transfer({ ...services, space, directory, onBytes }, file, {
      signal: stop.signal,
      ...(retries === undefined ? {} : { retries }),
      ...(attemptTimeoutMs === undefined ? {} : { attemptTimeoutMs }),
    });
    const spool = transfer.run();
    // It is awaited later, in order; this avoids an unhandled rejection until then.
    spool.catch(() => {});
    return { file, spool };
  };
  const running: Running[] = [];
  const listed = identified(files);
  try {
    for (let hasMore = true; hasMore || running.length > 0;) {
      while (hasMore && running.length < Math.max(1, concurrency)) {
        const next = await listed.next();
        hasMore = next.done !== true;
        if (next.done !== true) running.push(start(next.value));
      }
      if (running.length === 0) return;
      const first = running.shift()!;
      const spool = await first.spool;
      done += 1;
      yield chunkOf(first.file, spool, chunk);
    }
  } finally {
    stop.abort(new AgnesError("aborted", { what: "the download" }));
    await Promise.allSettled(running.map(({ spool }) => spool));
    await listed.return();
  }
}

/** Returns the total size of all files if every size is known. */
function sizeOf(files: readonly (string | DownloadFile)[]): Pick<ReadProgress, "totalBytes"> {
  let totalBytes = 0;
  for (const file of files) {
    if (typeof file === "string" || file.sizeBytes === undefined) return {};
    totalBytes += file.sizeBytes;
  }
  return { totalBytes };
}

interface Running {
  readonly file: TransferFile;
  readonly spool: Promise<SpoolFile>;
}

/** Yields the files of a list, each with its identity. */
async function* identified(files: Files): AsyncGenerator<TransferFile, void, void> {
  const keys = new Set<string>();
  let position = 0;
  for await (const entry of files) {
    position += 1;
    const file = typeof entry === "string" ? { url: entry } : entry;
    if (file.key !== undefined) {
      if (keys.has(file.key)) {
        throw new AgnesError("invalid_input", {
          what: "the list of files",
          reason: `two have the key ${file.key}`,
        });
      }
      keys.add(file.key);
    }
    const isExact = file.key !== undefined;
    const identity = { key: isExact ? `key ${file.key}` : `place ${position}`, isExact };
    // The path is a temporary one.
    yield { label: `file ${position} of the download`, ...file, identity };
  }
}

/** Fails before the download starts if the known sizes exceed the free space. */
async function checkSpace(
  { host }: DownloadServices,
  space: DiskSpace,
  files: readonly (string | DownloadFile)[],
  directory: string,
): Promise<void> {
  let neededBytes = 0;
  for (const file of files) {
    if (typeof file === "string" || file.sizeBytes === undefined) continue;
    const existing =
      file.key === undefined ? null : await host.files.stat(spoolPath(directory, `key ${file.key}`));
    neededBytes += Math.max(0, file.sizeBytes - (existing?.sizeBytes ?? 0));
  }
  if (neededBytes === 0) return;
  await space.reserve(files, neededBytes);
  space.release(files);
}

function chunkOf(
  { origin, label, constants }: TransferFile,
  spool: SpoolFile,
  options: Omit<FileChunk, "kind" | "data">,
): FileChunk {
  const { compression = "auto", format } = options;
  return {
    ...options,
    kind: "file",
    data: spool.path,
    // The path has no extension, and the extension in a URL is often wrong.
    compression:
      compression === "auto" && format !== "parquet" ? compressionOf(spool.firstBytes) : compression,
    ...(origin === undefined ? {} : { origin }),
    ...(label === undefined ? {} : { label }),
    ...(constants === undefined ? {} : { constants }),
  };
}

/** Detects the compression by its magic bytes, with which no text begins. */
function compressionOf(firstBytes: Buffer): "none" | "gzip" | "zstd" {
  if (firstBytes[0] === 0x1f && firstBytes[1] === 0x8b) return "gzip";
  return firstBytes.length === 4 && firstBytes.readUInt32LE() === 0xfd2fb528 ? "zstd" : "none";
}

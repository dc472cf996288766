import { createHash, type Hash } from "node:crypto";
import { dirname, join } from "node:path";

import { AgnesError, counted, isAgnesError, type Files, type Host } from "../base/mod.ts";
import { isTransient, pauseMs, RETRIES, type OpenResponse, type PullClient } from "./client.ts";

/** A part to download. */
export interface PartRequest {
  /** The id of its table. */
  readonly table: string;
  readonly generation: number;
  /** Its path on the server, which is never a path here. */
  readonly remotePath: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** Its path here. */
  readonly path: string;
}

/** The services of downloads. */
export interface DownloadServices {
  readonly host: Host;
  readonly client: PullClient;
  /** The folder of unfinished downloads, on the disk of the parts. */
  readonly directory: string;
  readonly retries?: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** Called with the number of bytes that arrived. */
  readonly onBytes: (sizeBytes: number) => void;
}

/** Thrown if the server no longer has the part as it was listed, so that a new list is needed. */
export class PartGone extends Error {
  readonly error: AgnesError;

  constructor(error: AgnesError) {
    super("the part is gone", { cause: error });
    this.error = error;
  }
}

const GONE_STATUSES = new Set([403, 404, 409, 410, 412]);
/** A part that arrived damaged is requested from its start this often. */
const DAMAGED_MAX = 2;
const READ_BYTES = 1024 * 1024;

/** The file of an unfinished download. A later pull continues it. Two tables may have the same part. */
export function partialPath(directory: string, table: string, sha256: string): string {
  return join(directory, `${table}.${sha256}.partial`);
}

/**
 * Downloads a part to its partial file, and hashes it while it arrives. A broken download continues where it stopped, also
 * one of an earlier process. `placePart` then makes it the part.
 *
 * @throws PartGone, `part_damaged`, `disk_full`, `file_failed`, `aborted`, and the errors of the server
 */
export async function downloadPart(services: DownloadServices, part: PartRequest): Promise<void> {
  const { host, signal, retries = RETRIES } = services;
  const { files } = host;
  const partial = partialPath(services.directory, part.table, part.sha256);
  let attempt = 0;
  let damaged = 0;
  let received = await resume(files, partial, part);
  let mostBytes = received.sizeBytes;
  for (;;) {
    let headers: Headers | null = null;
    try {
      if (received.sizeBytes < part.sizeBytes || part.sizeBytes === 0)
        headers = await requestRest(services, part, partial, received);
      const sha256 = received.hash.copy().digest("hex");
      if (sha256 === part.sha256 && received.sizeBytes === part.sizeBytes) break;
      throw damage(part, "its SHA-256 differs");
    } catch (error) {
      if (isAgnesError(error, "part_damaged")) {
        await files.remove(partial);
        received = nothing();
        if (++damaged > DAMAGED_MAX) throw error;
      } else if (!isTransient(error)) throw error;
      // Progress means that the connection works, however often it breaks. Bytes that arrive again are no progress.
      attempt = received.sizeBytes > mostBytes ? 1 : attempt + 1;
      mostBytes = Math.max(mostBytes, received.sizeBytes);
      if (attempt > retries) throw error;
      await host.sleep(pauseMs(host, attempt, headers), signal);
    }
  }
}

/** Moves a downloaded part to its path, synced, so that a file at the path is always whole. @throws `disk_full`, `file_failed` */
export async function placePart(
  { files }: Pick<Host, "files">,
  directory: string,
  part: PartRequest,
): Promise<void> {
  const partial = partialPath(directory, part.table, part.sha256);
  await files.sync(partial);
  await files.makeDirectory(dirname(part.path));
  await files.chmod(partial, 0o644);
  await files.rename(partial, part.path);
}

/** The bytes that are on the disk, with their hash. */
interface Received {
  sizeBytes: number;
  hash: Hash;
}

const nothing = (): Received => ({ sizeBytes: 0, hash: createHash("sha256") });

async function resume(files: Files, partial: string, part: PartRequest): Promise<Received> {
  const received = nothing();
  const stat = await files.stat(partial);
  if (stat === null) return received;
  if (stat.isDirectory || stat.sizeBytes > part.sizeBytes) {
    await files.removeDirectory(partial);
    return received;
  }
  for await (const chunk of files.readChunks(partial, READ_BYTES)) {
    received.hash.update(chunk);
    received.sizeBytes += chunk.length;
  }
  return received;
}

/** Requests the missing bytes and appends them. */
async function requestRest(
  services: DownloadServices,
  part: PartRequest,
  partial: string,
  received: Received,
): Promise<Headers> {
  const query = new URLSearchParams({ part: part.remotePath, generation: String(part.generation) });
  const from = received.sizeBytes;
  using response = await services.client.open(
    `/api/data/${encodeURIComponent(part.table)}/download?${query.toString()}`,
    {
      "accept-encoding": "identity",
      // Without the same content, the server responds with the whole part.
      ...(from > 0 && { range: `bytes=${from}-`, "if-range": `"${part.sha256}"` }),
    },
  );
  const { status, headers } = response;
  if (GONE_STATUSES.has(status)) throw new PartGone(await response.error());
  if (status === 416) throw damage(part, "the server has fewer bytes of it");
  if (status !== 200 && status !== 206) throw await response.error();
  if (status === 206 && !isRest(headers, from, part.sizeBytes)) throw damage(part, "it is another range");
  if (status === 200 && from > 0) {
    await services.host.files.remove(partial);
    received.sizeBytes = 0;
    received.hash = createHash("sha256");
  }
  await append(services, response, { part, partial, received });
  return headers;
}

function isRest(headers: Headers, from: number, sizeBytes: number): boolean {
  return headers.get("content-range") === `bytes ${from}-${sizeBytes - 1}/${sizeBytes}`;
}

/** Writes a body as it arrives: copying it into larger pieces costs more than it saves. It must not be longer than the part. */
async function append(
  { host, client, onBytes }: DownloadServices,
  response: OpenResponse,
  { part, partial, received }: { part: PartRequest; partial: string; received: Received },
): Promise<void> {
  const file = await host.files.open(partial, { resume: true });
  try {
    for await (const piece of response.pieces()) {
      if (received.sizeBytes + piece.length > part.sizeBytes)
        throw damage(part, `it is longer than ${counted(part.sizeBytes, "byte")}`);
      onBytes(piece.length);
      await file.write(piece, received.sizeBytes);
      received.hash.update(piece);
      received.sizeBytes += piece.length;
    }
  } finally {
    await file.close();
  }
  if (received.sizeBytes < part.sizeBytes) throw cutOff(client.address);
}

const cutOff = (server: string) =>
  new AgnesError("server_unreachable", { server, reason: "the response ended early" });

const damage = ({ table, remotePath }: PartRequest, reason: string) =>
  new AgnesError("part_damaged", { table, part: remotePath, reason });

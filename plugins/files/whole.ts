import { createReadStream } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

import { AgnesError } from "agnes/kit";

/**
 * Checks that a compressed file is not cut off. DuckDB reads what there is of one and does not complain.
 * @throws `file_unreadable`
 */
export async function checkWhole(path: string, signal: AbortSignal): Promise<void> {
  if (/\.gz$/i.test(path)) await checkGzip(path, signal);
  if (/\.zst$/i.test(path)) await checkZstd(path);
}

async function checkGzip(path: string, signal: AbortSignal): Promise<void> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    await pipeline(createReadStream(path), createGunzip(), nowhere, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new AgnesError("file_unreadable", { path, reason: (error as Error).message }, { cause: error });
  }
}

async function checkZstd(path: string): Promise<void> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    let at = 0;
    while (at < size) at = await endOfFrame(file, at);
    if (at === size) return;
  } catch (error) {
    if (!(error instanceof CutOffError)) throw error;
  } finally {
    await file.close();
  }
  throw new AgnesError("file_unreadable", { path, reason: "unexpected end of file" });
}

class CutOffError extends Error {}

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

/** Walks one frame of RFC 8878 from block to block, which takes no decompression. */
async function endOfFrame(file: FileHandle, start: number): Promise<number> {
  const magic = await numberAt(file, start, 4);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) return start + 8 + (await numberAt(file, start + 4, 4));
  if (magic !== FRAME) throw new CutOffError();
  const descriptor = await numberAt(file, start + 4, 1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const contentBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + contentBytes;
  for (;;) {
    const header = await numberAt(file, at, 3);
    const isRepeated = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeated ? 1 : header >> 3);
    if ((header & 1) === 1) return at + ((descriptor & 4) === 0 ? 0 : 4);
  }
}

async function numberAt(file: FileHandle, position: number, bytes: 1 | 3 | 4): Promise<number> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
  if (bytesRead < bytes) throw new CutOffError();
  return buffer.readUIntLE(0, bytes);
}

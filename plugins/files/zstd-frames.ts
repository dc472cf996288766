import { open, type FileHandle } from "node:fs/promises";

import { AgnesError } from "agnes/kit";

const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const BLOCK_MAX_BYTES = 128 * 1024;
const RAW = 0;
const REPEATED = 1;
const RESERVED = 3;

class BrokenError extends Error {}

/**
 * Walks the frames of a .zst file (RFC 8878) from block to block, without decompression.
 *
 * The content sizes in frame headers are ignored, because a decompression bomb may state a small one.
 *
 * @returns an upper bound of the decompressed size, in bytes
 * @throws `file_unreadable` if the file is truncated or other bytes follow its last frame
 */
export async function walkZstd(path: string, signal: AbortSignal): Promise<number> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    let at = 0;
    let decompressedBytes = 0;
    while (at < size) {
      const frame = await walkFrame(file, at, signal);
      at = frame.end;
      decompressedBytes += frame.decompressedBytes;
    }
    if (at > size) throw new BrokenError("unexpected end of file");
    return decompressedBytes;
  } catch (error) {
    if (!(error instanceof BrokenError)) throw error;
    throw new AgnesError("file_unreadable", { path, reason: error.message });
  } finally {
    await file.close();
  }
}

interface Frame {
  readonly end: number;
  readonly decompressedBytes: number;
}

async function walkFrame(file: FileHandle, start: number, signal: AbortSignal): Promise<Frame> {
  const magic = await numberAt(file, start, 4);
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
    return { end: start + 8 + (await numberAt(file, start + 4, 4)), decompressedBytes: 0 };
  }
  if (magic !== FRAME) throw new BrokenError(`no zstd frame at byte ${start}`);
  const descriptor = await numberAt(file, start + 4, 1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  const contentBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + contentBytes;
  let decompressedBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const header = await numberAt(file, at, 3);
    const type = (header >> 1) & 3;
    const sizeBytes = header >> 3;
    if (type === RESERVED) throw new BrokenError(`no zstd block at byte ${at}`);
    decompressedBytes += type === RAW || type === REPEATED ? sizeBytes : BLOCK_MAX_BYTES;
    at += 3 + (type === REPEATED ? 1 : sizeBytes);
    if ((header & 1) === 1) return { end: at + ((descriptor & 4) === 0 ? 0 : 4), decompressedBytes };
  }
}

async function numberAt(file: FileHandle, position: number, bytes: 1 | 3 | 4): Promise<number> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, position);
  if (bytesRead < bytes) throw new BrokenError("unexpected end of file");
  return buffer.readUIntLE(0, bytes);
}

import { stat } from "node:fs/promises";

import {
  DEFAULT_DECOMPRESSION_LIMITS,
  exceededLimit,
  type DecompressionLimits,
} from "./decompression-limits.ts";
import { fileFailure } from "./failures.ts";
import { compressionOf, decompressed } from "./decompressed.ts";
import { walkZstd } from "./zstd-frames.ts";

/**
 * Checks that a compressed file is complete and does not exceed the limits. DuckDB reads a truncated file without an
 * error and decompresses without a limit.
 *
 * @throws `file_unreadable`, `files/decompression_limit`, `file_failed`
 */
export async function checkWhole(
  path: string,
  signal: AbortSignal,
  limits: DecompressionLimits = DEFAULT_DECOMPRESSION_LIMITS,
): Promise<void> {
  const compression = compressionOf(path);
  if (compression === null) return;
  if (compression === "zstd" && !(await mayExceed(path, signal, limits))) return;
  for await (const _ of decompressed(path, { signal, limits }));
}

/**
 * Whether a zstd file may exceed a limit; only then is it decompressed to find out.
 * @throws `file_unreadable` if it is truncated
 */
async function mayExceed(path: string, signal: AbortSignal, limits: DecompressionLimits): Promise<boolean> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw fileFailure("read the attributes of", path, error);
  });
  const decompressedBytes = await walkZstd(path, signal);
  return exceededLimit({ compressedBytes: size, decompressedBytes }, limits) !== null;
}

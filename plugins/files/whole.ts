import { stat } from "node:fs/promises";

import {
  DEFAULT_DECOMPRESSION_LIMITS,
  limitPassed,
  type DecompressionLimits,
} from "./decompression-limits.ts";
import { fileFailure } from "./failures.ts";
import { compressionOf, decompressed } from "./decompressed.ts";
import { walkZstd } from "./zstd-frames.ts";

/**
 * Checks that a compressed file is whole and stays within the limits. DuckDB reads what there is of one that is cut
 * off, without an error, and decompresses without a limit.
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
  if (compression === "zstd" && !(await mayPass(path, signal, limits))) return;
  for await (const _ of decompressed(path, { signal, limits }));
}

/** Whether a zstd file may pass a limit: only then it is decompressed to find out. Throws when it is not whole. */
async function mayPass(path: string, signal: AbortSignal, limits: DecompressionLimits): Promise<boolean> {
  const { size } = await stat(path).catch((error: unknown) => {
    throw fileFailure("look at", path, error);
  });
  const decompressedBytes = await walkZstd(path, signal);
  return limitPassed({ compressedBytes: size, decompressedBytes }, limits) !== null;
}

import { errors } from "./errors.ts";

/** How far a compressed file may grow before reading it stops. */
export interface DecompressionLimits {
  /** How many bytes one file may decompress to. */
  readonly maxDecompressedBytes: number;
  /** How many times its own size a file may decompress to; files that stay small are not judged by it. */
  readonly maxCompressionRatio: number;
}

/** Larger and denser than any table in use, small enough that a file made to fill a disk is stopped. */
export const DEFAULT_DECOMPRESSION_LIMITS: DecompressionLimits = {
  maxDecompressedBytes: 64 * 1024 ** 3,
  maxCompressionRatio: 1000,
};

/** The limits that options set, and the defaults. */
export function limitsOf(given: {
  [Limit in keyof DecompressionLimits]?: number | undefined;
}): DecompressionLimits {
  const { maxDecompressedBytes, maxCompressionRatio } = DEFAULT_DECOMPRESSION_LIMITS;
  return {
    maxDecompressedBytes: given.maxDecompressedBytes ?? maxDecompressedBytes,
    maxCompressionRatio: given.maxCompressionRatio ?? maxCompressionRatio,
  };
}

/** A few repeated lines compress to nearly nothing, which says nothing of a file that stays this small. */
const RATIO_FREE_BYTES = 64 * 1024 ** 2;

/**
 * Refuses a size that a file decompresses to, or already has.
 * @throws `files/decompression_limit` naming the limit
 */
export function checkDecompressedSize(
  path: string,
  size: { readonly compressedBytes: number; readonly decompressedBytes: number },
  limits: DecompressionLimits,
): void {
  const limit = limitPassed(size, limits);
  if (limit === null) return;
  throw errors.decompression_limit({ path, limit, allowed: limits[limit], ...size });
}

/** The limit that a size passes; `null` for none. */
export function limitPassed(
  size: { readonly compressedBytes: number; readonly decompressedBytes: number },
  limits: DecompressionLimits,
): keyof DecompressionLimits | null {
  const { compressedBytes, decompressedBytes } = size;
  if (decompressedBytes > limits.maxDecompressedBytes) return "maxDecompressedBytes";
  const isDense = decompressedBytes > compressedBytes * limits.maxCompressionRatio;
  return isDense && decompressedBytes > RATIO_FREE_BYTES ? "maxCompressionRatio" : null;
}

import { errors } from "./errors.ts";

/** The limits at which reading a compressed file stops. */
export interface DecompressionLimits {
  /** The maximum decompressed size of one file, in bytes. */
  readonly maxDecompressedBytes: number;
  /** The maximum ratio of decompressed to compressed size. Files that decompress to at most 64 MiB are exempt. */
  readonly maxCompressionRatio: number;
}

/** Above the size and ratio of any known table, and low enough to stop a decompression bomb. */
export const DEFAULT_DECOMPRESSION_LIMITS: DecompressionLimits = {
  maxDecompressedBytes: 64 * 1024 ** 3,
  maxCompressionRatio: 1000,
};

/** Returns the limits set in the options, with defaults for the others. */
export function limitsOf(options: {
  [Limit in keyof DecompressionLimits]?: number | undefined;
}): DecompressionLimits {
  const { maxDecompressedBytes, maxCompressionRatio } = DEFAULT_DECOMPRESSION_LIMITS;
  return {
    maxDecompressedBytes: options.maxDecompressedBytes ?? maxDecompressedBytes,
    maxCompressionRatio: options.maxCompressionRatio ?? maxCompressionRatio,
  };
}

/** A few repeated lines compress to almost nothing, so the ratio of a small file means nothing. */
const RATIO_FREE_BYTES = 64 * 1024 ** 2;

/**
 * Checks the decompressed size of a file, or of the part decompressed so far.
 * @throws `files/decompression_limit` naming the limit
 */
export function checkDecompressedSize(
  path: string,
  size: { readonly compressedBytes: number; readonly decompressedBytes: number },
  limits: DecompressionLimits,
): void {
  const limit = exceededLimit(size, limits);
  if (limit === null) return;
  throw errors.decompression_limit({ path, limit, allowed: limits[limit], ...size });
}

/** Returns the limit that a size exceeds; `null` for none. */
export function exceededLimit(
  size: { readonly compressedBytes: number; readonly decompressedBytes: number },
  limits: DecompressionLimits,
): keyof DecompressionLimits | null {
  const { compressedBytes, decompressedBytes } = size;
  if (decompressedBytes > limits.maxDecompressedBytes) return "maxDecompressedBytes";
  const isDense = decompressedBytes > compressedBytes * limits.maxCompressionRatio;
  return isDense && decompressedBytes > RATIO_FREE_BYTES ? "maxCompressionRatio" : null;
}

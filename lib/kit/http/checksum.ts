import { createHash } from "node:crypto";

import { AgnesError, counted, formatValue, type Files } from "../../base/mod.ts";
import { crc32c } from "./crc32c.ts";

/** A checksum of a file's content. */
export interface Checksum {
  /** `crc32c` is CRC-32C (Castagnoli, RFC 3720), in big-endian bytes, as Google Cloud Storage reports it. */
  readonly algorithm: "md5" | "crc32c" | "sha256";
  /** Hex or base64. */
  readonly value: string;
}

const SIZE_BYTES = { md5: 16, crc32c: 4, sha256: 32 } as const;
const CHUNK_BYTES = 1024 * 1024;

/**
 * Returns the bytes of a checksum.
 * @throws `invalid_input` if the value is neither hex nor base64 of the right length
 */
export function checksumBytes({ algorithm, value }: Checksum): Buffer {
  const sizeBytes = SIZE_BYTES[algorithm];
  // Hex is two characters a byte; base64 of these sizes is shorter or ends in "=".
  const isHex = value.length === sizeBytes * 2 && /^[0-9a-f]+$/i.test(value);
  const bytes = Buffer.from(value, isHex ? "hex" : "base64");
  const isValid = isHex || (bytes.length === sizeBytes && bytes.toString("base64") === value);
  if (isValid) return bytes;
  const reason = `${formatValue(value, 80)} is neither hex nor base64 of ${counted(sizeBytes, "byte")}`;
  throw new AgnesError("invalid_input", { what: `the ${algorithm} checksum`, reason });
}

/** Returns the checksum of a file on disk. */
export async function fileChecksum(
  files: Pick<Files, "readChunks">,
  path: string,
  algorithm: Checksum["algorithm"],
): Promise<Buffer> {
  if (algorithm !== "crc32c") {
    const hash = createHash(algorithm);
    for await (const bytes of files.readChunks(path, CHUNK_BYTES)) hash.update(bytes);
    return hash.digest();
  }
  let crc = 0;
  for await (const bytes of files.readChunks(path, CHUNK_BYTES)) crc = crc32c(bytes, crc);
  const digest = Buffer.alloc(SIZE_BYTES.crc32c);
  digest.writeUInt32BE(crc);
  return digest;
}

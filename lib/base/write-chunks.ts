import { open } from "node:fs/promises";

import { fileError } from "./file-error.ts";

/**
 * Writes chunks to a file as they come, without making it durable. An incomplete file is left when it fails.
 *
 * @param options `append` keeps what is there, for devices, pipes and descriptors
 * @throws `disk_full`, `file_failed`, and what `chunks` throws, unchanged
 */
export async function writeChunks(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { replace = false, append = false }: { readonly replace?: boolean; readonly append?: boolean } = {},
): Promise<void> {
  const failed = (operation: string) => (error: unknown) => {
    throw fileError(operation, path, error);
  };
  const flags = append ? "a" : replace ? "w" : "wx";
  const handle = await open(path, flags, 0o600).catch(failed("create"));
  try {
    for await (const bytes of chunks) await handle.writeFile(bytes).catch(failed("write"));
  } finally {
    await handle.close().catch(failed("close"));
  }
}

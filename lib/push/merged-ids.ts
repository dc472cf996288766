import { join } from "node:path";

import { AgnesError, messageOf, publishFile, type Host } from "../base/mod.ts";

/** The ids of merged events that changed nothing, so that no published generation contains them. */
const idsPath = (directory: string): string => join(directory, "spool", "merged-ids.json");

/**
 * Reads the ids of merged events that changed nothing, oldest first.
 * @throws `extract_unreadable` if the file is damaged
 */
export async function readMergedIds({ files }: Host, directory: string): Promise<readonly string[]> {
  const path = idsPath(directory);
  const bytes = await files.read(path);
  if (bytes === null) return [];
  try {
    const ids: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (Array.isArray(ids) && ids.every((id) => typeof id === "string")) return ids;
    throw new Error("it is not a list of ids");
  } catch (error) {
    throw new AgnesError("extract_unreadable", { path, reason: messageOf(error) }, { cause: error });
  }
}

/** Stores the ids of all merged events durably. */
export async function writeMergedIds(host: Host, directory: string, ids: readonly string[]): Promise<void> {
  await publishFile(host, idsPath(directory), JSON.stringify(ids), { mode: 0o600 });
}

/** Removes the stored ids when a published generation contains them. */
export async function removeMergedIds({ files }: Host, directory: string): Promise<void> {
  await files.remove(idsPath(directory));
}

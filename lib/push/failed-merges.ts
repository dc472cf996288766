import { basename, join } from "node:path";

import * as v from "valibot";

import { isAgnesError, publishFile, type Host } from "../base/mod.ts";
import type { PushEvent } from "../kit/mod.ts";
import { parseSpool, quarantineDirectory } from "./spool.ts";

/** After this many failed merges, events that cannot be merged are quarantined. */
export const FAILED_MERGES_MAX = 10;

const failuresFile = v.object({ first: v.string(), count: v.number() });

const pathOf = (directory: string): string => join(directory, "failed-merges.json");

/** How often merging the events failed of which the first is in this spool file. */
export async function failedMerges(
  host: Pick<Host, "files">,
  directory: string,
  path: string,
): Promise<number> {
  const bytes = await host.files.read(pathOf(directory));
  if (bytes === null) return 0;
  const parsed = v.safeParse(
    v.pipe(v.string(), v.parseJson(), failuresFile),
    new TextDecoder().decode(bytes),
  );
  return parsed.success && parsed.output.first === basename(path) ? parsed.output.count : 0;
}

/** Counts a failed merge, if a repetition cannot succeed by itself. Nothing is counted while the disk is full. */
export async function countFailure(
  host: Host,
  directory: string,
  { path, error }: { readonly path: string; readonly error: unknown },
): Promise<void> {
  if (!isLasting(error)) return;
  const count = (await failedMerges(host, directory, path)) + 1;
  await publishFile(host, pathOf(directory), `${JSON.stringify({ first: basename(path), count })}\n`).catch(
    () => {},
  );
}

/** Forgets the failures after a merge. */
export async function forgetFailures(host: Pick<Host, "files">, directory: string): Promise<void> {
  await host.files.remove(pathOf(directory));
}

/** Whether an error is due to the events, and not to the network, the disk or a stop. */
export function isLasting(error: unknown): boolean {
  return (
    isAgnesError(error) &&
    error.retry === "permanent" &&
    !["aborted", "file_failed", "extract_unreadable", "internal"].includes(error.code)
  );
}

/** Writes events into the quarantine, with the code of their error. A file in it has the format of the spool. */
export async function quarantineEvents(
  host: Host,
  directory: string,
  {
    path,
    events,
    code,
  }: { readonly path: string; readonly events: readonly PushEvent[]; readonly code: string },
): Promise<void> {
  // In the order of the spool, so that the file can be moved back.
  const name = basename(path).replace(/(?:\.failed)?\.ndjson$/, ".failed.ndjson");
  const target = join(quarantineDirectory(directory), name);
  const bytes = await host.files.read(target);
  const earlier = bytes === null ? "" : new TextDecoder().decode(bytes);
  // A crash may have repeated the merge.
  const known = new Set((parseSpool(earlier, () => {}) ?? []).map(({ id }) => id));
  const lines = events
    .filter(({ id }) => !known.has(id))
    .map((event) => `${JSON.stringify({ ...event, error: code })}\n`);
  await publishFile(host, target, earlier + lines.join(""), { mode: 0o600 });
}

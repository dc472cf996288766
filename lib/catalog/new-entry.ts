import { AgnesError, randomId, type Host } from "../base/mod.ts";
import type { LogEntry, LoggedChange } from "./storage.ts";

/**
 * Creates a log entry with a new id and the current time.
 * @throws `catalog_too_large`
 */
export function newEntry(
  { catalog, host }: { readonly catalog: string; readonly host: Pick<Host, "now" | "random"> },
  sizeBytesMax: number,
  content: Pick<LogEntry, "sequence" | "actor" | "changes">,
): LogEntry {
  const { sequence, actor, changes } = content;
  const entry = { sequence, id: randomId(host), at: host.now().toISOString(), actor, changes };
  const sizeBytes = Buffer.byteLength(JSON.stringify(entry));
  if (sizeBytes <= sizeBytesMax) return entry;
  throw new AgnesError("catalog_too_large", {
    catalog,
    what: describeChanges(changes),
    sizeBytes,
    sizeBytesMax,
  });
}

function describeChanges({ length }: readonly LoggedChange[]): string {
  return length === 1 ? "the change of one record" : `the change of ${length} records`;
}

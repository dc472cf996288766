import type { Catalog, HistoryEntry } from "../catalog/mod.ts";
import {
  changedFields,
  changedUnread,
  fromStoredFields,
  libraryName,
  sourceTableNames,
  storedName,
  toStoredFields,
  type TableRecord,
} from "./record/mod.ts";
import { recordOf, tableKey, type RegistryRow } from "./stored.ts";
import type { RegistryHistoryOptions } from "./types.ts";

/** One change of the registry in the audit trail. */
export type RegistryChange = TableAudit | FolderAudit;

interface Audit {
  /** The registry's version after the change. Changes made together share it. */
  readonly version: number;
  /** ISO 8601, by the clock of the process that made the change. */
  readonly at: string;
  readonly actor: string;
  /** The fields that changed. */
  readonly changed: readonly string[];
}

/** A change of a table. */
export interface TableAudit extends Audit {
  readonly kind: "table";
  readonly action: "register" | "update" | "unregister";
  /** The table's id. */
  readonly id: string;
  readonly before: TableRecord | null;
  readonly after: TableRecord | null;
}

/** A change of the folder of a bucket. */
interface FolderAudit extends Audit {
  readonly kind: "folder";
  readonly action: "set_folder" | "clear_folder";
  /** The bucket. */
  readonly id: string;
  readonly before: string | null;
  readonly after: string | null;
}

/** A change with its fields as in files, YAML and HTTP. */
export function storedChange(change: RegistryChange): Readonly<Record<string, unknown>> {
  if (change.kind === "folder") return { ...change };
  const { before, after, changed } = change;
  return {
    ...change,
    changed: changed.map(storedName),
    before: before && toStoredFields(before),
    after: after && toStoredFields(after),
  };
}

/** The inverse of `storedChange`. */
export function changeOfStored(stored: object): RegistryChange {
  const change = stored as RegistryChange;
  if (change.kind === "folder") return change;
  const { before, after, changed } = change;
  const restored = {
    ...change,
    changed: changed.map(libraryName),
    before: before && fromStoredFields(before),
    after: after && fromStoredFields(after),
  };
  return restored as RegistryChange;
}

/** The changes of one table, or of the whole registry. */
export async function readHistory(
  catalog: Catalog<RegistryRow>,
  options: RegistryHistoryOptions,
): Promise<readonly RegistryChange[]> {
  const { id, ...range } = options;
  const entries = await catalog.history({ ...range, ...(id === undefined ? {} : { rowKey: tableKey(id) }) });
  const changes = entries.flatMap(changesOf);
  if (id === undefined) return changes;
  return changes.filter((change) => change.kind === "table" && change.id.toLowerCase() === id.toLowerCase());
}

/**
 * Finds the tables of a source that were unregistered and not registered since, by the source's own names. Each call
 * continues in the log where the last one stopped.
 */
export function unregisteredTables(
  catalog: Catalog<RegistryRow>,
  source: string,
): () => Promise<ReadonlyMap<string, TableAudit>> {
  const found = new Map<string, TableAudit>();
  let next = 1;
  return async () => {
    for await (const entry of catalog.entries({ from: next })) {
      next = entry.sequence + 1;
      for (const change of changesOf(entry)) {
        if (change.kind !== "table" || (change.after ?? change.before)!.source !== source) continue;
        for (const name of change.after === null ? [] : sourceTableNames(change.after)) found.delete(name);
        for (const name of change.after === null ? sourceTableNames(change.before!) : [])
          found.set(name, change);
      }
    }
    return found;
  };
}

/** The changes of one entry of the log. */
export function changesOf(entry: HistoryEntry<RegistryRow>): readonly RegistryChange[] {
  const common = { version: entry.sequence, at: entry.at, actor: entry.actor };
  return entry.changes.map(({ before, after }) => {
    const row = (after ?? before)!;
    if (row.kind === "folder") {
      return {
        ...common,
        kind: "folder",
        action: after === null ? "clear_folder" : "set_folder",
        id: row.key,
        changed: ["folder"],
        before: before?.kind === "folder" ? before.folder : null,
        after: after?.kind === "folder" ? after.folder : null,
      };
    }
    const [was, is] = [before && recordOf(before), after && recordOf(after)];
    return {
      ...common,
      kind: "table",
      action: was === null ? "register" : is === null ? "unregister" : "update",
      id: (is ?? was)!.id,
      changed: [...changedFields(was, is), ...changedUnread(was, is)],
      before: was,
      after: is,
    };
  });
}

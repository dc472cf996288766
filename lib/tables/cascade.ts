import { messageOf, type Log } from "../base/mod.ts";
import type { RegisteredTable } from "./stored.ts";

/** A resource that exists because a table is registered. */
export type Resource =
  /** Its rows, schema and cursor in the extract of its source. */
  | { readonly kind: "extract_table"; readonly source: string; readonly table: string }
  /** Its view in the analytics database. */
  | { readonly kind: "view"; readonly viewName: string }
  /** When its last sync succeeded. */
  | { readonly kind: "sync_state"; readonly id: string }
  /** The cached metadata of a remote table. */
  | { readonly kind: "metadata"; readonly id: string };

/** The event of an unregistered table. */
export interface UnregisterEvent {
  readonly table: RegisteredTable;
  /** The registry's version after the change. */
  readonly version: number;
  /** All resources of the table; each listener removes those it owns. */
  readonly resources: readonly Resource[];
}

/** Removes the resources it owns of an unregistered table. */
export type UnregisterListener = (event: UnregisterEvent) => Promise<void> | void;

/** A failed cleanup. */
export interface CleaningFailure {
  readonly message: string;
  readonly cause: unknown;
}

/** All resources of a table. */
export function resourcesOf({ id, source, name, viewName, queryMode }: RegisteredTable): readonly Resource[] {
  return [
    { kind: "extract_table", source, table: name },
    { kind: "view", viewName },
    { kind: "sync_state", id },
    ...(queryMode === "remote" ? [{ kind: "metadata", id } as const] : []),
  ];
}

/** Calls the listeners in sequence. Failures are reported and do not stop the others. */
export async function announce(
  event: UnregisterEvent,
  listeners: Iterable<UnregisterListener>,
  log: Log,
): Promise<readonly CleaningFailure[]> {
  const failures: CleaningFailure[] = [];
  for (const listener of listeners) {
    try {
      await listener(event);
    } catch (cause) {
      const message = messageOf(cause);
      log.warn("cannot remove the data of an unregistered table", { table: event.table.id, reason: message });
      failures.push({ message, cause });
    }
  }
  return failures;
}

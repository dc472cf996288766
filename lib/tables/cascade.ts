import { messageOf, type Log } from "../base/mod.ts";
import type { RegisteredTable } from "./stored.ts";

/** Something that exists because a table is registered. */
export type Resource =
  /** Its rows, schema and cursor in the extract of its source. */
  | { readonly kind: "extract_table"; readonly source: string; readonly table: string }
  /** Its view in the analytics database. */
  | { readonly kind: "view"; readonly viewName: string }
  /** When its last sync succeeded. */
  | { readonly kind: "sync_state"; readonly id: string };

/** A table was unregistered. */
export interface UnregisterEvent {
  readonly table: RegisteredTable;
  /** The registry's version after it. */
  readonly version: number;
  /** Everything that exists because of the table, to be cleaned by whoever keeps it. */
  readonly resources: readonly Resource[];
}

/** Cleans what it keeps of a table that was unregistered. */
export type UnregisterListener = (event: UnregisterEvent) => Promise<void> | void;

/** Cleaning that failed. */
export interface CleaningFailure {
  readonly message: string;
  readonly cause: unknown;
}

/** Everything that exists because of a table. */
export function resourcesOf({ id, source, name, view_name }: RegisteredTable): readonly Resource[] {
  return [
    { kind: "extract_table", source, table: name },
    { kind: "view", viewName: view_name },
    { kind: "sync_state", id },
  ];
}

/** Calls every listener, one after the other; what fails is reported and stops no other. */
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
      log.warn("could not clean after an unregistered table", { table: event.table.id, reason: message });
      failures.push({ message, cause });
    }
  }
  return failures;
}

import type { ServedWorkspace } from "../workspace.ts";
import type { Principal } from "./principal.ts";

/** Returns the ids of the tables that a principal may access; null: all. */
export async function accessOf(
  workspace: ServedWorkspace,
  { role, grants }: Principal,
): Promise<ReadonlySet<string> | null> {
  if (role === "admin" || grants === null) return null;
  const [tables, sources] = [new Set(grants.tables), new Set(grants.sources)];
  const entries = await workspace.catalog();
  return new Set(
    entries.filter(({ id, source }) => tables.has(id) || sources.has(source)).map(({ id }) => id),
  );
}

import { AgnesError } from "../../base/mod.ts";
import type { DocumentedTable } from "../../query/mod.ts";
import type { Principal } from "../auth/principal.ts";
import type { ServeServices } from "../services.ts";
import { accessTest, type ListedTable, type PublishedCatalog } from "./published-catalog.ts";

/** A table that a caller may access. */
export interface FoundTable {
  readonly listed: ListedTable;
  /** What the caller may access and who it is, for the workspace. */
  readonly caller: { readonly access: ReadonlySet<string> | null; readonly principal: string };
}

/**
 * Finds a table by its id or view name, in any case. Access is checked first: a table that the caller may not access is as
 * unknown as one that does not exist.
 * @throws `table_unknown`
 */
export async function findTable(
  services: ServeServices,
  catalog: PublishedCatalog,
  { principal, id }: { readonly principal: Principal; readonly id: string },
): Promise<FoundTable> {
  const caller = { access: await services.accessOf(principal), principal: principal.id };
  const listed = (await catalog.read(services)).byName.get(id.toLowerCase());
  if (listed === undefined || !accessTest(caller.access)(listed)) {
    // It throws the error with the names that are similar, among those that the caller may access.
    await services.workspace.describe(id, caller);
    throw new AgnesError("table_unknown", { table: id, known: [] });
  }
  return { listed, caller };
}

/** Describes the columns of a table. @throws the errors of `describe` */
export async function describeTable(
  { workspace }: ServeServices,
  { listed, caller }: FoundTable,
  signal: AbortSignal,
): Promise<DocumentedTable> {
  return workspace.describe(listed.entry.id, { ...caller, signal });
}

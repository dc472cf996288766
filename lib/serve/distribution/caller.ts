import { AgnesError } from "../../base/mod.ts";
import type { Principal } from "../auth/principal.ts";
import type { ServeServices } from "../services.ts";
import type { ManifestTable } from "./manifest-table.ts";
import { isSubscribed, type Subscription } from "./subscriptions.ts";

/** Returns the tables that a principal may access, by id. */
export async function accessibleTables(
  services: ServeServices,
  principal: Principal,
): Promise<readonly ManifestTable[]> {
  const isAccessible = await accessTest(services, principal);
  const { tables } = await services.manifests.read();
  return tables.filter(isAccessible);
}

/**
 * Finds a table by its id or view name, in any case. A table that the principal may not access is as unknown as one that does
 * not exist.
 * @throws `table_unknown`
 */
export async function accessibleTable(
  services: ServeServices,
  principal: Principal,
  name: string,
): Promise<ManifestTable> {
  const access = await services.accessOf(principal);
  const isAccessible = testOf(access);
  const { byName } = await services.manifests.read();
  const table = byName.get(name.toLowerCase());
  if (table !== undefined && isAccessible(table)) return table;
  // It throws the error with the names that are similar, among those that the caller may access.
  await services.workspace.describe(name, { access, principal: principal.id });
  throw new AgnesError("table_unknown", { table: name, known: [] });
}

/** Returns what a principal subscribes to, and a test for tables. */
export async function subscriptionOf(
  { workspace }: ServeServices,
  { name }: Principal,
): Promise<{ readonly subscription: Subscription; readonly includes: (table: ManifestTable) => boolean }> {
  const subscription = await (await workspace.subscriptions()).of(name);
  return { subscription, includes: (table) => isSubscribed(subscription, table) };
}

/** Returns the ids of the tables that a principal subscribes to; null: all. */
export async function subscribedIds(
  services: ServeServices,
  principal: Principal,
): Promise<ReadonlySet<string> | null> {
  const { subscription, includes } = await subscriptionOf(services, principal);
  if (subscription.tableMode === "all") return null;
  const { tables } = await services.manifests.read();
  return new Set(tables.filter(includes).map(({ id }) => id));
}

/** Returns a test for tables that a principal may access. */
export async function accessTest(
  services: ServeServices,
  principal: Principal,
): Promise<(table: ManifestTable) => boolean> {
  return testOf(await services.accessOf(principal));
}

function testOf(access: ReadonlySet<string> | null): (table: ManifestTable) => boolean {
  if (access === null) return () => true;
  const ids = new Set([...access].map((id) => id.toLowerCase()));
  return ({ id }) => ids.has(id.toLowerCase());
}

import { plural } from "../terminal/figures.ts";
import type { ServerClient } from "./client.ts";
import type { SentSubscription } from "./subscription.ts";

/** The number of names in a text. */
const NAMES_MAX = 10;

interface SentManifest {
  readonly tables: Readonly<
    Record<string, Pick<SentTable, "folder"> & { readonly unavailable: object | null }>
  >;
}

interface SentTable {
  readonly id: string;
  readonly folder: string | null;
}

/**
 * States which tables the next pull removes from a copy if the mode becomes `explicit`; null: none. The server does not send the
 * groups of tables, so those that only a group decides are counted apart.
 */
export async function leavingText(
  server: ServerClient,
  subscription: SentSubscription,
): Promise<string | null> {
  const manifest = await server.json<SentManifest>("/api/sync/manifest");
  const copied = Object.entries(manifest.tables)
    .filter(([, { unavailable }]) => unavailable === null)
    .map(([id, { folder }]) => ({ id, folder }));
  const decided = copied.map((table) => ({ id: table.id, stays: staysIn(subscription, table) }));
  const leaving = decided.filter(({ stays }) => stays === false).map(({ id }) => id);
  const byGroup = decided.filter(({ stays }) => stays === undefined).length;
  if (leaving.length + byGroup === 0) return null;
  const rest = leaving.length > NAMES_MAX ? ` and ${leaving.length - NAMES_MAX} more` : "";
  const names = leaving.length === 0 ? "" : `: ${leaving.slice(0, NAMES_MAX).join(", ")}${rest}`;
  const groups = byGroup === 0 ? "" : `; groups decide about ${plural(byGroup, "other table")}`;
  return `The next pull removes ${leaving.length} of ${plural(copied.length, "table")} from a copy${names}${groups}.`;
}

/** Whether the mode `explicit` has a table; undefined: its group decides. */
function staysIn(
  { tables, groups, folders }: SentSubscription,
  { id, folder }: SentTable,
): boolean | undefined {
  if (Object.hasOwn(tables, id)) return tables[id]!;
  const ofFolder = folder !== null && Object.hasOwn(folders, folder) ? folders[folder]! : undefined;
  if (ofFolder === false) return false;
  const decisive = Object.values(groups);
  // A group can add a table, and remove one that its folder adds.
  if (decisive.includes(ofFolder === undefined)) return undefined;
  return ofFolder ?? false;
}

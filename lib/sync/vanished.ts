import { AgnesError } from "../base/mod.ts";
import { readExtract, type ExtractStats } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { TableRecord } from "../tables/mod.ts";
import type { SyncServices } from "./source.ts";

/** What is to be said of registered tables that their source does not have any more. */
interface Vanished {
  readonly errors: ExtractStats["errors"];
  readonly notes: readonly string[];
}

/**
 * Tells tables that vanished from their source. One of which nothing was ever published, and that nobody changed since
 * it was registered, is no loss: a file that could not be read was removed. It fails no run that did not ask for it.
 */
export async function tellVanished(
  { tables, workspace }: Pick<SyncServices, "tables" | "workspace">,
  source: string,
  vanished: readonly TableRecord[],
  only: readonly string[] | null,
): Promise<Vanished> {
  if (vanished.length === 0) return { errors: [], notes: [] };
  const extract = await readExtract(dataPaths.extract(workspace.dataDirectory, source));
  const published = new Set(extract?.tables.map(({ name }) => name.toLowerCase()));
  const errors: { readonly table: string; readonly error: AgnesError }[] = [];
  const notes: string[] = [];
  for (const { id, name, source_table: own } of vanished) {
    const isLoss =
      published.has(name.toLowerCase()) ||
      only !== null ||
      (await tables.history({ id, first: "newest", limit: 1 }))[0]?.action !== "register";
    if (isLoss)
      errors.push({ table: name, error: new AgnesError("table_vanished", { source, table: own ?? name }) });
    else
      notes.push(
        `${id} is not in its source, and nothing of it was ever published: \`agnes table unregister ${id}\` takes it out of the registry`,
      );
  }
  return { errors, notes };
}

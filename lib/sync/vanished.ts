import { AgnesError } from "../base/mod.ts";
import { readExtract, type ExtractStats } from "../extract/mod.ts";
import { dataPaths } from "../workspace/mod.ts";
import type { TableRecord } from "../tables/mod.ts";
import type { SyncServices } from "./services.ts";

/** Errors and notes about registered tables that their source no longer has. */
interface Vanished {
  readonly errors: ExtractStats["errors"];
  readonly notes: readonly string[];
}

/**
 * Reports tables that their source no longer has. A table that was never published and not changed since it was
 * registered, such as a removed file that could never be read, is only a note, unless the run requests it by name.
 */
export async function reportVanished(
  { host, tables, workspace }: Pick<SyncServices, "host" | "tables" | "workspace">,
  source: string,
  vanished: readonly TableRecord[],
  only: readonly string[] | null,
): Promise<Vanished> {
  if (vanished.length === 0) return { errors: [], notes: [] };
  const extract = await readExtract(host.files, dataPaths.extract(workspace.dataDirectory, source));
  const published = new Set(extract?.tables.map(({ name }) => name.toLowerCase()));
  const errors: { readonly table: string; readonly error: AgnesError }[] = [];
  const notes: string[] = [];
  for (const { id, name, sourceTable: own, queryMode } of vanished) {
    const isLoss =
      published.has(name.toLowerCase()) ||
      only !== null ||
      (await tables.history({ id, first: "newest", limit: 1 }))[0]?.action !== "register";
    if (isLoss)
      errors.push({
        table: name,
        error: new AgnesError("table_vanished", {
          id,
          source,
          table: own ?? name,
          ...(queryMode === "remote" && { isRemote: true }),
        }),
      });
    else
      notes.push(
        `${id} is no longer in its source and was never published: remove it with \`agnes table unregister ${id}\``,
      );
  }
  return { errors, notes };
}

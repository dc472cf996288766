import { join } from "node:path";

import { AgnesError, type Host } from "../base/mod.ts";
import { hasFileLog } from "../catalog/mod.ts";
import { wasPublished } from "../extract/mod.ts";
import { dataPaths, type Workspace } from "../workspace/mod.ts";

/**
 * Looks for what shows that there was a registry when there is none: a lost one must not read as a new one.
 *
 * Runs are kept only of registered tables, so a state of syncs without a registry is damage. Extracts alone may have come
 * from another machine; they are only named.
 * @returns the sources of the workspace whose extracts Agnes published, when the registry has no entry
 * @throws `catalog_corrupt` when the registry is lost
 */
export async function unregisteredExtracts(
  host: Host,
  { dataDirectory, config }: Workspace,
): Promise<readonly string[]> {
  const place = join(dataPaths.state(dataDirectory), "tables");
  const ofState = { directory: dataPaths.state(dataDirectory), host };
  if (await hasFileLog({ ...ofState, catalog: "tables" })) return [];
  if (await hasFileLog({ ...ofState, catalog: "sync" })) {
    const kept = join(dataPaths.state(dataDirectory), "sync");
    const reason = `it holds no entry, though tables were registered: ${kept} holds their last syncs (remove that too to begin anew)`;
    throw new AgnesError("catalog_corrupt", { catalog: "tables", place, reason });
  }
  const found: string[] = [];
  for (const source of Object.keys(config.sources)) {
    if (await wasPublished(host, dataPaths.extract(dataDirectory, source))) found.push(source);
  }
  return found;
}

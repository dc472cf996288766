import { join } from "node:path";

import { AgnesError, type Host } from "../base/mod.ts";
import { hasFileLog } from "../catalog/mod.ts";
import { wasPublished } from "../extract/mod.ts";
import { dataPaths, type Workspace } from "../workspace/mod.ts";

/**
 * Detects a lost registry, which must not be treated as a new one.
 *
 * Only runs of registered tables are recorded, so sync state without a registry is damage. Extracts alone may come from
 * another machine and are only reported.
 * @returns the sources of the workspace whose extracts Agnes published, if the registry has no entry
 * @throws `catalog_corrupt` if the registry is lost
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
    const reason = `it has no entry, but tables were registered: ${kept} has their last syncs (remove it too to start from scratch)`;
    throw new AgnesError("catalog_corrupt", { catalog: "tables", place, reason });
  }
  const found: string[] = [];
  for (const source of Object.keys(config.sources)) {
    if (await wasPublished(host, dataPaths.extract(dataDirectory, source))) found.push(source);
  }
  return found;
}

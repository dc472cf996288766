import { join } from "node:path";

import { AgnesError, type Files } from "../base/mod.ts";
import {
  databaseNames,
  digestObjects,
  openUnchanged,
  tableId,
  type AnalyticsState,
  type AnalyticsTable,
} from "../analytics/mod.ts";
import { quoteIdentifier, quoteLiteral, type Connection } from "../duckdb/mod.ts";
import { checkFolders } from "./check-folders.ts";

/**
 * Attaches the extract file of a table.
 * @throws `extract_changed` if its definitions differ from those that were checked, or if it is replaced while it is opened
 */
export async function attachExtract(
  files: Files,
  connection: Connection,
  state: AnalyticsState,
  table: AnalyticsTable,
  signal: AbortSignal,
): Promise<void> {
  const name = databaseNames.extract(table.source);
  const { directory, digest } = state.sources.find(({ source }) => source === table.source)!;
  const path = quoteLiteral(join(directory, "extract.duckdb"));
  const detach = () => connection.run(`DETACH ${quoteIdentifier(name)}`).then(() => {});
  const found = await openUnchanged(
    files,
    directory,
    // Checked again immediately before the open: opening a pipe never returns.
    () => checkFolders(files, state, [table]),
    () => connection.run(`ATTACH ${path} AS ${quoteIdentifier(name)} (READ_ONLY)`, { signal }),
    detach,
  );
  if (found !== null) {
    if ((await digestObjects(connection, name)) === digest) return;
    await detach();
  }
  throw new AgnesError("extract_changed", { table: tableId(table) });
}

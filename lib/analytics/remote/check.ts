import { throwIfAborted, type Host, type Log } from "../../base/mod.ts";
import {
  openDatabase,
  quoteIdentifier,
  quoteLiteral,
  type Connection,
  type DuckDBLimits,
} from "../../duckdb/mod.ts";
import { databaseNames, tableId, type AnalyticsTable, type RemoteDatabase } from "../model.ts";
import { analyticsPath } from "../paths.ts";
import { readAnalyticsState } from "../state.ts";
import { attachFailure, isExtensionMissing, tryRemote } from "./attach.ts";
import type { NamedExtension } from "./plan.ts";
import { refusalOf } from "./refusal.ts";

/** The result of attaching one remote table. */
export interface RemoteCheck {
  readonly source: string;
  readonly name: string;
  /** The DuckDB extension of its database; null if its source does not support attaching. */
  readonly extension: string | null;
  /** The reason why it cannot be attached; null if it can, or if its source does not support attaching. */
  readonly reason: string | null;
  /** Whether it cannot be attached only because its extension is not installed. */
  readonly isExtensionMissing: boolean;
}

/** The options of a check. */
export interface RemoteCheckRequest {
  readonly dataDirectory: string;
  readonly extensions: readonly NamedExtension[];
  /** Whether missing extensions may be downloaded. */
  readonly installExtensions: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Attaches the database of each published remote table, checks that it contains the table, and detaches it.
 *
 * @throws `file_unreadable`, `duckdb_failed` if `analytics.duckdb` cannot be read, `aborted`
 */
export async function checkRemotes(
  services: { readonly host: Host; readonly log: Log; readonly limits: DuckDBLimits },
  request: RemoteCheckRequest,
): Promise<readonly RemoteCheck[]> {
  const { host } = services;
  const path = analyticsPath(request.dataDirectory);
  if ((await host.files.stat(path)) === null) return [];
  await using database = await openDatabase({ files: host.files, limits: services.limits });
  await using connection = await database.connect();
  await connection.run(
    `ATTACH ${quoteLiteral(path)} AS ${quoteIdentifier(databaseNames.analytics)} (READ_ONLY)`,
  );
  const state = await readAnalyticsState(connection, databaseNames.analytics);
  const checks: RemoteCheck[] = [];
  for (const { source, remotes } of state?.sources ?? []) {
    const tables = state!.tables.filter((table) => table.source === source && table.accessMode === "remote");
    for (const alias of new Set(tables.map(({ remote }) => remote?.alias ?? ""))) {
      throwIfAborted(request.signal, "the check of remote tables");
      const own = tables.filter(({ remote }) => (remote?.alias ?? "") === alias);
      const found = remotes.find((remote) => remote.alias === alias);
      checks.push(...(await checkDatabase(services, own, found, request)));
    }
  }
  return checks.sort((a, b) => (tableId(a) < tableId(b) ? -1 : 1));
}

async function checkDatabase(
  services: { readonly host: Host; readonly limits: DuckDBLimits },
  tables: readonly AnalyticsTable[],
  remote: RemoteDatabase | undefined,
  { extensions, installExtensions: install, signal }: RemoteCheckRequest,
): Promise<readonly RemoteCheck[]> {
  const { env } = services.host;
  const all = (reason: string | null, isExtensionMissing = false) =>
    tables.map(({ source, name }) => ({
      source,
      name,
      extension: remote?.extension ?? null,
      reason,
      isExtensionMissing,
    }));
  if (remote === undefined) {
    return all(tables[0]?.remote?.alias === "" ? null : "the extract declares no database for it");
  }
  const { source } = tables[0]!;
  // Only the next rebuild can allow a database that the last one refused.
  const refusal = refusalOf(env, remote);
  if (refusal !== null) return all(remote.refusal ?? refusal);
  try {
    const trial = { source, remote, extensions, install, signal };
    return await tryRemote(services, trial, async (connection, stop) => {
      const checks: RemoteCheck[] = [];
      for (const { name, definition } of tables) {
        const reason = await missingReason(connection, definition, { env, remote, signal: stop });
        checks.push({ source, name, extension: remote.extension, reason, isExtensionMissing: false });
      }
      return checks;
    });
  } catch (error) {
    throwIfAborted(signal, "the check of remote tables");
    return all(attachFailure(env, remote, error), isExtensionMissing(error));
  }
}

/** Returns the reason why a table cannot be read: some extensions attach missing databases and fail at the first table. */
async function missingReason(
  connection: Connection,
  definition: string,
  context: {
    readonly env: Host["env"];
    readonly remote: RemoteDatabase;
    readonly signal: AbortSignal;
  },
): Promise<string | null> {
  const { env, remote, signal } = context;
  try {
    await connection.describe(definition, { signal, mayWait: true });
    return null;
  } catch (error) {
    throwIfAborted(signal, "the check of remote tables");
    return attachFailure(env, remote, error);
  }
}

import type { Log } from "../base/mod.ts";
import { databaseNames, tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { checkFolders } from "./check-folders.ts";
import { mayNameDatabase, PUBLIC_DATABASE } from "./database-name.ts";
import type { GuardedQuery } from "./guard.ts";
import type { QueryDatabase } from "./live/query-database.ts";
import { planLive, type LivePlace, type LiveStatement } from "./live/prepare-live.ts";
import { mayKeepStatement } from "./recent-queries.ts";
import type { Lease, RemoteReceipt } from "./run.ts";
import type { RemoteAccessMode } from "./opening.ts";
import type { Sandbox } from "./sandbox.ts";
import { shipStatement, type ShippedQuery } from "./ship/shipped-query.ts";
import type { TableNames } from "./tables.ts";
import { areSmall } from "./threads.ts";

/**
 * Leases a locked instance for one query, whose signal stops all statements on the connection.
 *
 * @param options.query the query, if it is the only one of the lease
 */
export async function leaseOf(
  sandbox: Sandbox,
  tables: readonly AnalyticsTable[],
  names: TableNames,
  options: { readonly log: Log; readonly signal: AbortSignal; readonly query?: GuardedQuery | null },
): Promise<Lease> {
  const { log, signal, query = null } = options;
  await sandbox.useThreads(query?.readsOnce === true && areSmall(tables));
  const { copies } = sandbox;
  const copyable = copyableOf(query, tables);
  const isCopied = copyable !== null && copies.has(copyable);
  const connection = await sandbox.connect(isCopied ? databaseNames.copies : databaseNames.analytics);
  // A statement that ignores the interrupt then counts as lost, and frees its slot for the next query.
  connection.stopWith(signal);
  if (tables.some(mayNameDatabase)) await connection.run(PUBLIC_DATABASE);
  let database: QueryDatabase | null = null;
  let shipped: ShippedQuery | null = null;
  return {
    connection,
    tables,
    generation: sandbox.state?.generation ?? null,
    isCopied,
    hasForeignViews: tables.some((table) =>
      table.accessMode === "file" ? table.generation === null : sandbox.accessModeOf(table) !== "live",
    ),
    secrets: sandbox.secrets,
    remotes: () =>
      tables.flatMap((table) => remoteReceipt(table, sandbox.accessModeOf(table), { database, shipped })),
    prepareLive: async (statement) => {
      const live = await sandbox.liveTables(tables);
      const load = loaderOf(sandbox, statement);
      if (live.size === 0 && load === null) return null;
      const place = { connection, names, tables, live, load };
      shipped = await shipStatement({ ...place, name: sandbox.newQueryName() }, statement, log);
      if (shipped !== null) return { sql: shipped.sql, ranSql: shipped.statement.sql };
      database = await planLive({ ...place, name: sandbox.newQueryName() }, statement);
      await sandbox.prepareLive(connection, database);
      return null;
    },
    release: async () => {
      shipped?.close();
      if (copyable !== null && !isCopied && !signal.aborted)
        await copies.used(copyable, () => checkFolders(sandbox.lookups, sandbox.state, [copyable]));
      await sandbox.release(connection, { isStopped: signal.aborted });
    },
  };
}

/** Returns the table that a query may read from a copy; null: none. */
function copyableOf(query: GuardedQuery | null, tables: readonly AnalyticsTable[]): AnalyticsTable | null {
  const mayReadCopy = query?.mayReadCopy === true && mayKeepStatement(query, tables);
  return mayReadCopy && !tables.some(mayNameDatabase) ? tables[0]! : null;
}

/** Returns the function that creates further tables in the database of a query; null without such tables. */
function loaderOf(sandbox: Sandbox, { load }: LiveStatement): LivePlace["load"] {
  if (load === undefined) return null;
  const connect = () => sandbox.connect();
  return (database) => load({ database, connect, release: (connection) => sandbox.release(connection) });
}

function remoteReceipt(
  table: AnalyticsTable,
  accessMode: RemoteAccessMode | null,
  { database, shipped }: { readonly database: QueryDatabase | null; readonly shipped: ShippedQuery | null },
): readonly RemoteReceipt[] {
  if (accessMode === null) return [];
  const id = tableId(table);
  if (shipped !== null)
    return [{ id, accessMode: "shipped", shipped: { ...shipped.statement }, ...shipped.jobs.field }];
  const pushedDown = database?.pushed.get(id);
  return [
    {
      id,
      accessMode,
      ...(pushedDown === undefined ? {} : { pushedDown: { ...pushedDown } }),
      ...database?.jobs.get(id)?.field,
    },
  ];
}

/**
 * Completes the preparation of a query; if it fails, the connection is released.
 * @param shown converts its error for the caller. Default: it stays
 */
export async function readyOrReleased<T>(
  lease: Lease,
  work: () => Promise<T>,
  shown: (error: unknown) => unknown = (error) => error,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await lease.release();
    throw shown(error);
  }
}

import type { Log } from "../base/mod.ts";
import { tableId, type AnalyticsTable } from "../analytics/mod.ts";
import { mayNameDatabase, PUBLIC_DATABASE } from "./database-name.ts";
import type { QueryDatabase } from "./live/query-database.ts";
import { planLive, type LivePlace, type LiveStatement } from "./live/prepare-live.ts";
import type { Lease, RemoteReceipt } from "./run.ts";
import type { RemoteAccessMode } from "./opening.ts";
import type { Sandbox } from "./sandbox.ts";
import { shipStatement, type ShippedQuery } from "./ship/shipped-query.ts";
import type { TableNames } from "./tables.ts";
import { areSmall } from "./threads.ts";

/** Leases a locked instance for one query, whose signal stops all statements on the connection. */
export async function leaseOf(
  sandbox: Sandbox,
  tables: readonly AnalyticsTable[],
  names: TableNames,
  options: { readonly log: Log; readonly signal: AbortSignal; readonly readsOnce?: boolean },
): Promise<Lease> {
  const { log, signal, readsOnce = false } = options;
  await sandbox.useThreads(readsOnce && areSmall(tables));
  const connection = await sandbox.connect();
  // A statement that ignores the interrupt then counts as lost, and frees its slot for the next query.
  connection.stopWith(signal);
  if (tables.some(mayNameDatabase)) await connection.run(PUBLIC_DATABASE);
  let database: QueryDatabase | null = null;
  let shipped: ShippedQuery | null = null;
  return {
    connection,
    tables,
    generation: sandbox.state?.generation ?? null,
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
      await sandbox.release(connection, { isStopped: signal.aborted });
    },
  };
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

/** Completes the preparation of a query; if it fails, the connection is released. */
export async function readyOrReleased<T>(lease: Lease, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await lease.release();
    throw error;
  }
}

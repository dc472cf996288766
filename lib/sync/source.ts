import {
  type AgnesError,
  counted,
  isAgnesError,
  redactThrown,
  redactValue,
  withTimeout,
} from "../base/mod.ts";
import { extractSource, type ExtractProgress, type ExtractStats } from "../extract/mod.ts";
import type { TableInfo } from "../kit/mod.ts";
import { discoverTables, openSource, type SourceHandle } from "../sources/mod.ts";
import { sourceTablesOf, type RegisteredTable, type TableRegistry } from "../tables/mod.ts";
import { dataPaths, type SourceConfig } from "../workspace/mod.ts";
import { planSource } from "./plan.ts";
import { withTableCommands } from "./table-commands.ts";
import type { RegistrationTurn } from "./registration-order.ts";
import type { SourceReport } from "./report.ts";
import type { SyncServices } from "./services.ts";
import { dropLeftTables } from "./unregister.ts";
import { reportVanished } from "./vanished.ts";

/** What a run of one source is asked to do. */
export interface SourceRequest {
  readonly source: string;
  /** Names of the tables to sync; `null` for all that are registered. */
  readonly only: readonly string[] | null;
  readonly full: boolean;
  readonly signal?: AbortSignal | undefined;
  /** When it may register what is new. Default: at once. */
  readonly registration?: RegistrationTurn;
  readonly onProgress?: ((progress: ExtractProgress) => void) | undefined;
}

/** Runs one source: connect, discover, register what is new where that is wanted, extract, publish. */
export async function syncSource(services: SyncServices, request: SourceRequest): Promise<SourceReport> {
  const { source, signal } = request;
  const config = services.workspace.config.sources[source]!;
  using timeout = withTimeout(`the run of source ${source}`, config.timeoutMs, signal);
  const bounded = { ...request, signal: timeout.signal };
  try {
    const isFresh = await freshTables(services.tables, request);
    await using handle = await openSource(services, source, timeout.signal, isFresh);
    try {
      const report = await runConnected(services, handle, config, bounded);
      return { ...report, notes: redactValue(report.notes, handle.secrets) };
    } catch (error) {
      throw redactThrown(error, handle.secrets);
    }
  } catch (error) {
    if (signal?.aborted === true || !isAgnesError(error)) throw error;
    return { source, status: "failed", error, registered: [], notes: [] };
  }
}

/** Which tables are read from scratch, so that nothing of an earlier read decides how. */
async function freshTables(
  tables: TableRegistry,
  { source, only, full }: SourceRequest,
): Promise<(table: string) => boolean> {
  if (!full) return () => false;
  if (only === null) return () => true;
  const names = new Set(only);
  for (const { name, source_table: own } of await tables.list({ source })) {
    if (names.has(name) && own !== null) names.add(own);
  }
  return (table) => names.has(table);
}

async function runConnected(
  services: SyncServices,
  handle: SourceHandle,
  config: SourceConfig,
  request: SourceRequest & { readonly signal: AbortSignal },
): Promise<SourceReport> {
  const { source, only, signal } = request;
  const canDiscover = handle.plugin.capabilities.includes("discover");
  const discovered = canDiscover ? await discoverTables(handle, { signal }) : null;
  const { registered, notes, unreadable } = await registerInTurn(services, handle, config, {
    discovered: discovered ?? [],
    request,
  });
  const failed = only === null ? unreadable : unreadable.filter(({ table }) => only.includes(table));
  // A table that could never be read is not registered, but it may be asked for.
  const asked = only && only.filter((name) => !failed.some(({ table }) => table === name));
  const records = await wantedRecords(services.tables, source, asked);
  if (records.length + failed.length === 0) {
    await dropLeftTables(services, source);
    const told = [...notes, unregisteredNote(source, discovered)];
    return { source, status: "unregistered", registered: [], notes: told };
  }
  const plan = planSource(records, discovered, services.host.now());
  const stats = await extractSource(
    { host: services.host, log: services.log, limits: services.limits },
    {
      directory: dataPaths.extract(services.workspace.dataDirectory, source),
      source: handle,
      tables: plan.tables,
      full: request.full,
      signal,
      keep: await keptNames(services.tables, source),
      ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
    },
  );
  const vanished = await reportVanished(services, source, plan.vanished, only);
  const errors = [
    ...stats.errors.map(({ table, error }) => {
      const record = records.find(({ name }) => name === table);
      return { table, error: record === undefined ? error : withTableCommands(error, record) };
    }),
    ...failed.map(({ table, error }) => ({ table, error: withTableCommands(error, { source, table }) })),
    ...vanished.errors,
  ];
  const tablesFailed = stats.tablesFailed + failed.length + vanished.errors.length;
  const complete: ExtractStats = { ...stats, errors, tablesFailed };
  const succeeded = stats.tablesExtracted + stats.tablesSkipped;
  const status = complete.tablesFailed === 0 ? "complete" : succeeded > 0 ? "partial" : "failed";
  return { source, status, stats: complete, registered, notes: [...notes, ...vanished.notes] };
}

/** What registering the tables of a source came to. */
interface Registration {
  readonly registered: readonly string[];
  readonly notes: readonly string[];
  /** Tables that would be registered if they could be read. */
  readonly unreadable: ExtractStats["errors"];
}

/**
 * Registers what is new, where the configuration or else the plugin says so, when it is this source's turn; without
 * anything new there is nothing to wait for.
 */
async function registerInTurn(
  services: SyncServices,
  handle: SourceHandle,
  config: SourceConfig,
  {
    discovered,
    request: { registration, signal },
  }: {
    readonly discovered: readonly TableInfo[];
    readonly request: SourceRequest & { readonly signal: AbortSignal };
  },
): Promise<Registration> {
  if ((config.register ?? handle.plugin.register ?? "all") !== "all") {
    return { registered: [], notes: [], unreadable: [] };
  }
  if (registration !== undefined && (await hasNew(services.tables, handle.name, discovered))) {
    await registration.begin(signal);
  }
  const done = await registerNew(services, handle, discovered);
  registration?.end();
  return done;
}

async function hasNew(
  tables: TableRegistry,
  source: string,
  discovered: readonly TableInfo[],
): Promise<boolean> {
  const known = sourceTablesOf(discovered);
  const found = new Set((await tables.list({ source })).map(known));
  return discovered.some((info) => !found.has(info));
}

/** Registers the tables nobody registered yet. */
async function registerNew(
  services: SyncServices,
  handle: SourceHandle,
  discovered: readonly TableInfo[],
): Promise<Registration> {
  const plan = await services.tables.registerDiscovered(handle.name, discovered, {
    capabilities: handle.plugin.capabilities,
  });
  const registered: string[] = [];
  const notes: string[] = [];
  const unreadable: { readonly table: string; readonly error: AgnesError }[] = [];
  for (const candidate of plan.candidates) {
    if (candidate.kind === "new") {
      registered.push(candidate.id);
      notes.push(...candidate.notes);
    } else if (candidate.kind === "invalid") {
      notes.push(`${candidate.table} was not registered: ${candidate.reason}`);
    } else if (candidate.kind === "drifted") {
      notes.push(...candidate.drift.map((drift) => `${candidate.id}: ${drift.field}: ${drift.reason}`));
    } else if (candidate.kind === "left_out") {
      notes.push(candidate.reason);
    } else if (candidate.kind === "unreadable" && candidate.id === null) {
      const { problem } = discovered.find(({ name }) => name === candidate.table)!;
      unreadable.push({ table: candidate.table, error: problem! });
    }
  }
  return { registered, notes, unreadable };
}

/**
 * The tables of a source that were asked for; `null` asks for all.
 * @throws what `TableRegistry.find` throws for one that is not registered
 */
export async function wantedRecords(
  tables: TableRegistry,
  source: string,
  only: readonly string[] | null,
): Promise<readonly RegisteredTable[]> {
  const records = await tables.list({ source });
  if (only === null) return records;
  return Promise.all(
    only.map(
      async (name) => records.find((record) => record.name === name) ?? tables.find(`${source}.${name}`),
    ),
  );
}

async function keptNames(tables: TableRegistry, source: string): Promise<readonly string[]> {
  return (await tables.list({ source })).map((record) => record.name);
}

function unregisteredNote(source: string, discovered: readonly TableInfo[] | null): string {
  if (discovered === null) {
    return `nothing of ${source} is registered, and its plugin cannot list its tables: run \`agnes table register ${source} TABLE\``;
  }
  const count = discovered.length;
  return count === 0
    ? `the source has no tables: \`agnes connector health ${source}\` says more`
    : `nothing of ${source} is registered; it has ${counted(count, "table")}: run \`agnes table discover ${source}\``;
}

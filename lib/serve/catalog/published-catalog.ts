import { setImmediate } from "node:timers/promises";

import { analyticsPath } from "../../analytics/mod.ts";
import type { CheckedEntry } from "../../query/mod.ts";
import type { TableSyncStatus } from "../../sync/mod.ts";
import type { RegisteredTable } from "../../tables/mod.ts";
import { sentStaleReason } from "../http/stale-reason.ts";
import type { ServeServices } from "../services.ts";

/** The published tables, and each of them as JSON. */
export interface CatalogState {
  readonly tables: readonly ListedTable[];
  /** The tables by id and by view name, in lower case. */
  readonly byName: ReadonlyMap<string, ListedTable>;
}

/** A table of the catalog. */
export interface ListedTable {
  readonly entry: CheckedEntry;
  readonly sourceType: string | null;
  readonly partitionBy: string | null;
  /** The table as in `GET /api/v2/catalog`. */
  readonly json: string;
}

/** The times of the last syncs may be this old, because a sync without changes publishes nothing. */
const MAX_AGE_MS = 10_000;

/** From this age on, a request waits for the new times. */
const WAITING_AGE_MS = 60_000;

/** How many tables are encoded before other requests get their turn. */
const SLICE = 500;

/** The catalog, encoded again only after a rebuild or a change of the registry. */
export class PublishedCatalog {
  #version = "";
  #readAtMs = 0;
  #state: Promise<CatalogState> | null = null;

  async read(services: ServeServices): Promise<CatalogState> {
    const version = await versionOf(services);
    const current = this.#state;
    const ageMs = Math.abs(services.host.now().getTime() - this.#readAtMs);
    if (current !== null && version === this.#version) {
      if (ageMs < MAX_AGE_MS) return current;
      // The tables are the same; only the times of their last syncs may be newer.
      const next = this.#readAgain(services, version);
      return ageMs < WAITING_AGE_MS ? current : next;
    }
    return this.#readAgain(services, version);
  }

  #readAgain(services: ServeServices, version: string): Promise<CatalogState> {
    this.#version = version;
    this.#readAtMs = services.host.now().getTime();
    const state = readCatalog(services);
    this.#state = state;
    state.catch(() => {
      if (this.#state === state) this.#state = null;
    });
    return state;
  }
}

/** Returns whether a table is among those that a caller may access, by id or view name. */
export function accessTest(access: ReadonlySet<string> | null): (table: ListedTable) => boolean {
  if (access === null) return () => true;
  const names = new Set([...access].map((name) => name.toLowerCase()));
  return ({ entry }) => names.has(entry.id.toLowerCase()) || names.has(entry.name.toLowerCase());
}

/** Changes with each rebuild, with each change of the registry, and with each refresh of metadata. */
async function versionOf({ host, workspace }: ServeServices): Promise<string> {
  const [stat, tables, metadata] = await Promise.all([
    host.files.stat(analyticsPath(workspace.workspace.dataDirectory)),
    workspace.tables(),
    // An unreadable cache fails only a catalog with remote tables.
    workspace.metadata.version().catch(() => "unknown"),
  ]);
  return `${stat?.sizeBytes} ${stat?.modifiedAtMs} ${await tables.version()} ${metadata}`;
}

async function readCatalog({ workspace, log }: ServeServices): Promise<CatalogState> {
  const registry = await workspace.tables();
  const [entries, registered, statuses] = await Promise.all([
    workspace.catalog(),
    registry.list(),
    // The catalog is of use without the state of the syncs.
    workspace.syncStatus().catch((error: unknown) => {
      log.warn("the catalog has no state of the syncs", { error });
      return [];
    }),
  ]);
  const syncs = new Map(statuses.map((status) => [status.id, status]));
  const records = new Map(registered.map((record) => [record.id, record]));
  const { sources } = workspace.workspace.config;
  const tables: ListedTable[] = [];
  const byName = new Map<string, ListedTable>();
  for (const [at, entry] of entries.entries()) {
    if (at % SLICE === SLICE - 1) await setImmediate();
    const sourceType = Object.hasOwn(sources, entry.source) ? sources[entry.source]!.plugin : null;
    const table = listed(entry, sourceType, { record: records.get(entry.id), sync: syncs.get(entry.id) });
    tables.push(table);
    byName.set(entry.name.toLowerCase(), table);
    byName.set(entry.id.toLowerCase(), table);
  }
  return { tables, byName };
}

function listed(
  entry: CheckedEntry,
  sourceType: string | null,
  {
    record,
    sync,
  }: { readonly record: RegisteredTable | undefined; readonly sync: TableSyncStatus | undefined },
): ListedTable {
  const partitionBy = record?.partitionBy ?? null;
  const json = JSON.stringify({
    id: entry.id,
    name: entry.name,
    description: entry.description,
    source: entry.source,
    source_type: sourceType,
    query_mode: entry.mode,
    access_mode: entry.accessMode,
    sql_flavor: "duckdb",
    rough_size_hint: sizeHint(entry.sizeBytes),
    rows: entry.rows,
    size_bytes: entry.sizeBytes,
    columns: entry.columns,
    partition_by: partitionBy,
    extracted_at: entry.extractedAt,
    checked_at: entry.checkedAt,
    attempted_at: sync?.attemptedAt?.toISOString() ?? null,
    sync_status: sync?.status ?? null,
    stale_reason: sentStaleReason(entry.staleReason),
    freshness: entry.freshness,
    metadata_refreshed_at: entry.metadataAt,
  });
  return { entry, sourceType, partitionBy, json };
}

const MIB = 2 ** 20;

/** A size in words; null: unknown. */
function sizeHint(sizeBytes: number | null): string | null {
  if (sizeBytes === null) return null;
  if (sizeBytes <= 100 * MIB) return "small";
  if (sizeBytes <= 1024 * MIB) return "medium";
  return sizeBytes <= 10_240 * MIB ? "large" : "very_large";
}

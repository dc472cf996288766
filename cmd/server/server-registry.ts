import { AgnesError, formatValue, isAgnesError } from "../../lib/base/mod.ts";
import { unknownSource } from "../../lib/sources/mod.ts";
import type { RunError, TableStatus } from "../../lib/sync/mod.ts";
import {
  changeOfStored,
  checkChange,
  fromStoredFields,
  libraryName,
  nameOf,
  planOfStored,
  resourcesOf,
  toStoredFields,
  type ChangeOptions,
  type FolderWrite,
  type RegisteredTable,
  type RegistryChange,
  type TableChange,
  type TableFilter,
  type TableWrite,
  type Unregistration,
} from "../../lib/tables/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { bundledPlugins } from "../plugins.ts";
import type {
  CheckedWrite,
  CommandRegistry,
  Discovery,
  ListedTables,
  TableDetails,
  WriteOptions,
} from "../tables/registry.ts";
import type { ServerClient } from "./client.ts";
import { errorSent, type SentError } from "./server-error.ts";

/** The time for requests that call sources or publish. */
const LONG_TIMEOUT_MS = 600_000;
/** The maximum that the server accepts. */
const HISTORY_MAX = 1000;

const ADMIN = "/api/admin";

/** A table in a response of the registry: its fields, and its state. */
interface SentTable extends Record<string, unknown> {
  readonly id: string;
  readonly published: boolean;
  readonly extracted_at: string | null;
  readonly last_sync: string | null;
  readonly last_sync_status: TableStatus | null;
  readonly last_sync_error: RunError | null;
  readonly due_at: string | null;
  readonly effective_primary_key: readonly string[];
  readonly effective_folder: string | null;
}

interface SentWrite {
  readonly table: object;
  readonly updated: readonly string[];
  readonly dry_run: boolean;
  readonly warnings: readonly string[];
}

interface SentDiscovery {
  readonly sources: readonly object[];
  readonly errors: readonly (SentError & { readonly source: string })[];
  readonly not_listed: readonly { readonly source: string; readonly register_command: string | null }[];
}

/** The registry of a server, with the types of that of a workspace. */
export class ServerRegistry implements CommandRegistry {
  readonly #cli: Cli;
  readonly #server: ServerClient;

  constructor(cli: Cli, server: ServerClient) {
    this.#cli = cli;
    this.#server = server;
  }

  advice(text: string): string {
    return this.#server.advice(text);
  }

  async list({ queryMode, viewName: _viewName, ...filter }: TableFilter): Promise<ListedTables> {
    const query = new URLSearchParams({ ...filter, ...(queryMode !== undefined && { mode: queryMode }) });
    const { version, tables } = await this.#server.json<{
      readonly version: number;
      readonly tables: readonly SentTable[];
    }>(`${ADMIN}/registry?${query.toString()}`);
    const listed = tables.map(detailsOf);
    return {
      version,
      tables: listed.map(({ table }) => table),
      keys: async () => new Map(listed.map(({ table, key }) => [table.id, key])),
    };
  }

  async find(reference: string): Promise<RegisteredTable> {
    return (await this.show(reference)).table;
  }

  async show(reference: string): Promise<TableDetails> {
    return detailsOf(await this.#server.json<SentTable>(this.#pathOf(reference)));
  }

  async register(
    change: TableChange & { readonly source: string },
    options: WriteOptions,
  ): Promise<CheckedWrite> {
    // Checked here too, because the server does not repeat values in its errors.
    checkChange(change, nameOf(change));
    const path = `${ADMIN}/register-table?${queryOf(options)}`;
    const write = this.#server.json<SentWrite>(path, requestOf(change, options));
    return this.#writeOf(await this.#withKnown([change.source], write));
  }

  async update(
    { id, version }: RegisteredTable,
    change: TableChange,
    options: WriteOptions,
  ): Promise<CheckedWrite> {
    checkChange(change, formatValue(id));
    const request = requestOf(change, { expectedVersion: version, ...options });
    const path = `${this.#pathOf(id)}?${queryOf(options)}`;
    return this.#writeOf(await this.#server.json(path, { ...request, method: "PUT" }));
  }

  async unregister(table: RegisteredTable, options: ChangeOptions): Promise<Unregistration> {
    const { dryRun = false, expectedVersion = table.version } = options;
    const path = `${this.#pathOf(table.id)}?dry_run=${dryRun}`;
    const done = await this.#server.json<{ readonly failures: readonly string[] } | null>(path, {
      method: "DELETE",
      version: expectedVersion,
      timeoutMs: LONG_TIMEOUT_MS,
    });
    const failures = (done?.failures ?? []).map((message) => ({ message, cause: undefined }));
    return { table, resources: resourcesOf(table), failures, dryRun };
  }

  async history({
    limit,
    table,
  }: {
    readonly limit: number;
    readonly table?: string;
  }): Promise<readonly RegistryChange[]> {
    if (limit > HISTORY_MAX) {
      const reason = `--limit is at most ${HISTORY_MAX} with a server`;
      throw new AgnesError("usage_wrong", { command: this.#cli.name, reason });
    }
    const query = new URLSearchParams({ limit: String(limit), ...(table !== undefined && { id: table }) });
    const { changes } = await this.#server.json<{ readonly changes: readonly object[] }>(
      `${ADMIN}/history?${query.toString()}`,
    );
    return changes.map(changeOfStored);
  }

  async folders() {
    const { version, folder_mapping: folders } = await this.#server.json<{
      readonly version: number;
      readonly folder_mapping: Readonly<Record<string, string>>;
    }>(`${ADMIN}/folders`);
    return { version, folders };
  }

  async setFolder(bucket: string, folder: string | null, options: ChangeOptions): Promise<FolderWrite> {
    const { dryRun = false, expectedVersion: version } = options;
    const { before } = await this.#server.json<{ readonly before: Readonly<Record<string, string | null>> }>(
      `${ADMIN}/folders?dry_run=${dryRun}`,
      { method: "PUT", json: { folder_mapping: { [bucket]: folder } }, version },
    );
    const earlier = before[bucket] ?? null;
    return { before: earlier, changed: earlier !== folder, dryRun };
  }

  async discover(
    sources: readonly string[],
    { dryRun, again }: { readonly dryRun: boolean; readonly again: boolean },
  ): Promise<Discovery> {
    const query = new URLSearchParams({
      ...(sources.length > 0 && { source: [...new Set(sources)].join(",") }),
      dry_run: String(dryRun),
      again: String(again),
    });
    const path = `${ADMIN}/discover-and-register?${query.toString()}`;
    const request = { method: "POST", timeoutMs: LONG_TIMEOUT_MS } as const;
    const done = await this.#withKnown(sources, this.#server.json<SentDiscovery>(path, request));
    const { address, advice } = this.#server;
    const failures = await Promise.all(
      done.errors.map(async ({ source, ...sent }) => ({
        source,
        error: await errorSent(address, sent, { httpStatus: 200, advice }),
      })),
    );
    // As in a workspace: one source alone fails the command.
    if (done.sources.length === 0 && failures.length === 1) throw failures[0]!.error;
    return {
      plans: done.sources.map(planOfStored),
      failures,
      skipped: done.not_listed.map(({ source, register_command: register }) => ({ source, register })),
    };
  }

  plugins() {
    return bundledPlugins();
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #pathOf(reference: string): string {
    return `${ADMIN}/registry/${encodeURIComponent(reference)}`;
  }

  /** Replaces the error for an unknown source by that of a workspace: the server does not repeat names. */
  async #withKnown<T>(sources: readonly string[], request: Promise<T>): Promise<T> {
    try {
      return await request;
    } catch (error) {
      if (!isAgnesError(error, "request_invalid") || error.details.field !== "source") throw error;
      const { sources: configured } = await this.#server.json<{
        readonly sources: readonly { readonly name: string }[];
      }>("/api/health");
      const known = configured.map(({ name }) => name);
      const unknown = sources.find((source) => !known.includes(source));
      throw unknown === undefined ? error : unknownSource(unknown, known);
    }
  }

  #writeOf({ table, updated, dry_run: dryRun, warnings }: SentWrite): CheckedWrite {
    const changed = updated.map(libraryName) as unknown as TableWrite["changed"];
    const texts = warnings.map((text) => this.advice(text));
    return { table: tableOf(table), changed, dryRun, warnings: async () => texts };
  }
}

function detailsOf(sent: SentTable): TableDetails {
  const {
    published: isPublished,
    rows: _rows,
    size_bytes: _sizeBytes,
    extracted_at: extractedAt,
    last_sync: checkedAt,
    last_sync_status: status,
    last_sync_error: syncError,
    due_at: dueAt,
    effective_primary_key: key,
    effective_folder: folder,
    ...fields
  } = sent;
  return {
    table: tableOf(fields),
    isPublished,
    folder,
    key,
    extractedAt,
    checkedAt,
    status,
    syncError,
    dueAt,
  };
}

function tableOf(fields: object): RegisteredTable {
  return fromStoredFields(fields) as unknown as RegisteredTable;
}

function queryOf({ dryRun = false, isSourceChecked }: WriteOptions): string {
  return `dry_run=${dryRun}&check_source=${isSourceChecked}`;
}

function requestOf(change: TableChange, { expectedVersion: version, isSourceChecked }: WriteOptions) {
  return { json: toStoredFields(change), version, ...(isSourceChecked && { timeoutMs: LONG_TIMEOUT_MS }) };
}

import { join } from "node:path";

import { AgnesError, checkServerAddress, type Host } from "../base/mod.ts";
import { acquireLock } from "../duckdb/mod.ts";
import {
  dataPaths,
  readCopyState,
  writeCopyState,
  type CopyState,
  type MissingTable,
} from "../workspace/mod.ts";
import { openPullClient, type PullClient } from "./client.ts";
import { checkLayout, layOut } from "./layout.ts";
import { checkNoLinks } from "./no-links.ts";
import { isUncertain, uncertainIds, type Manifest, type ManifestTable } from "./manifest.ts";
import { registerCopies } from "./register.ts";
import { downloadsDirectory, pullRound, type RoundResult, type RoundTable } from "./round.ts";
import { TableList } from "./table-list.ts";
import type { PulledTable, PullOptions, PullReport, PullServices } from "./types.ts";

/** A server that publishes all the time must not keep a pull for ever. */
const ROUNDS_MAX = 5;

/** Copies the tables of a server into the workspace; see `Agnes.pull`. */
export async function pullTables(services: PullServices, options: PullOptions = {}): Promise<PullReport> {
  const { host, workspace } = services;
  const { dataDirectory } = workspace;
  const directory = dataPaths.copy(dataDirectory);
  const state = await readCopyState(host, dataDirectory);
  const server = serverOf(services, state, options.server);
  const client = openPullClient(host, server, {
    token: options.token ?? host.env["AGNES_TOKEN"],
    signal: options.signal,
    ...(options.stalledMs !== undefined && { stalledMs: options.stalledMs }),
  });
  await checkNoLinks(host.files, dataDirectory, state?.sources ?? []);
  await host.files.makeDirectory(directory);
  await using _lock = await acquireLock(
    host.files,
    join(directory, ".lock"),
    `the copy in ${workspace.directory}`,
  );
  return await pullLocked(services, options, client, state);
}

/** The address of the server, without a path. @throws `pull_server_missing`, `pull_server_differs` */
function serverOf(
  { host, workspace }: PullServices,
  state: CopyState | null,
  named: string | undefined,
): string {
  const { directory, config } = workspace;
  const known = config.copy?.server ?? state?.server;
  if (named === undefined) {
    const server = known ?? host.env["AGNES_SERVER"];
    if (server === undefined || server === "") throw new AgnesError("pull_server_missing", { directory });
    return server;
  }
  const server = checkServerAddress(named).origin;
  if (known !== undefined && known !== server)
    throw new AgnesError("pull_server_differs", { server, known, directory });
  return server;
}

async function pullLocked(
  services: PullServices,
  options: PullOptions,
  client: PullClient,
  earlier: CopyState | null,
): Promise<PullReport> {
  const { host, workspace } = services;
  const { dataDirectory } = workspace;
  const server = client.address;
  const list = new TableList(host, dataDirectory, client);
  let sources = earlier?.sources ?? [];
  const results: RoundResult[] = [];
  let manifest = await list.latest();
  for (let number = 1; ; number++) {
    const listed = [...new Set(manifest.tables.map(({ source }) => source))];
    await checkSources(services, server, listed, sources);
    if (number === 1) {
      await checkLayout(services, manifest.tables, options.layout);
      await options.onManifest?.();
    }
    sources = [...new Set([...sources, ...listed])].toSorted();
    // Before anything is published, so that a later pull knows that the extracts are copies.
    const missing = missingTables(manifest, null);
    await writeCopyState(host, dataDirectory, {
      server,
      sources,
      missing,
      lastPull: earlier?.lastPull ?? null,
    });
    const round = { services, options, client, verify: options.verify === true && number === 1 };
    const result = await pullRound(round, manifest, sources);
    results.push(result);
    if (!result.isGone || number === ROUNDS_MAX) break;
    manifest = await list.request();
  }
  const last = results.at(-1)!;
  const names = new Map((await services.tables.list()).map(({ id, viewName }) => [id, viewName]));
  const uncertain = isUncertain(manifest);
  const copied = manifest.tables.filter(({ id }) => last.published.has(id) && !uncertain(id));
  const notes = [...(await registerCopies(services.tables, { sources, published: copied, uncertain }))];
  await services.rebuild();
  await removeGone(services, sources, last);
  const left = sources.filter((source) =>
    [...last.published.keys()].some((id) => id.startsWith(`${source}.`)),
  );
  await writeCopyState(host, dataDirectory, {
    server,
    sources: left,
    missing: missingTables(manifest, last),
    lastPull: { at: host.now().toISOString(), failed: failedIds(manifest, last) },
  });
  const hasFailed = last.tables.some(({ error }) => error !== null);
  // Unfinished downloads of tables that failed continue at the next pull.
  if (!hasFailed) await host.files.removeDirectory(downloadsDirectory(dataDirectory));
  const kept = (await services.tables.list()).filter(({ id }) => uncertain(id) && last.published.has(id));
  notes.push(...(await layOut(services, [...copied, ...kept], last.published, options.layout)));
  return reportOf(server, { manifest, results, names, notes });
}

/** @throws `pull_source_taken` if a source of the server is one of this workspace, `pull_sources_alike`, `pull_link_found` */
async function checkSources(
  { host, workspace }: PullServices,
  server: string,
  listed: readonly string[],
  pulled: readonly string[],
): Promise<void> {
  const names = new Map(pulled.map((source) => [source.toLowerCase(), source]));
  for (const source of listed) {
    const other = names.get(source.toLowerCase()) ?? source;
    if (other !== source)
      throw new AgnesError("pull_sources_alike", {
        server,
        source,
        other,
        isCopied: !listed.includes(other),
      });
    names.set(source.toLowerCase(), source);
  }
  await checkNoLinks(host.files, workspace.dataDirectory, listed);
  const own = new Set(Object.keys(workspace.config.sources).map((name) => name.toLowerCase()));
  const extracts = dataPaths.extracts(workspace.dataDirectory);
  // A folder with parts alone was copied by rsync.
  const present = new Set<string>();
  for (const name of (await host.files.list(extracts)) ?? [])
    if ((await host.files.stat(join(extracts, name, "extract.duckdb"))) !== null)
      present.add(name.toLowerCase());
  for (const source of listed) {
    const isConfigured = own.has(source.toLowerCase());
    const isOther = present.has(source.toLowerCase()) && !pulled.includes(source);
    const directory = dataPaths.extract(workspace.dataDirectory, source);
    if (isConfigured || isOther)
      throw new AgnesError("pull_source_taken", { source, directory, isConfigured });
  }
}

/** Removes the files of tables that are no longer permitted or subscribed. */
async function removeGone(
  { host, workspace }: PullServices,
  sources: readonly string[],
  { published, removed }: RoundResult,
): Promise<void> {
  for (const source of sources) {
    const directory = dataPaths.extract(workspace.dataDirectory, source);
    if (![...published.keys()].some((id) => id.startsWith(`${source}.`))) {
      await host.files.removeDirectory(directory);
      continue;
    }
    const gone = removed.filter((id) => id.startsWith(`${source}.`)).map((id) => id.slice(source.length + 1));
    for (const name of gone) await removeParts(host, directory, name);
  }
}

async function removeParts({ files }: Host, directory: string, name: string): Promise<void> {
  await files.removeDirectory(join(directory, "data", name.toLowerCase()));
}

/** By the code of the server, which may be any text. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["remote", "the server reads it from its source"],
  ["server_only", "it may only be read on the server"],
  ["foreign", "another program wrote it on the server, which cannot be downloaded"],
  ["unreadable", "the server cannot read it at the moment"],
  ["not_published", "the server has not published it yet"],
]);

/** The tables that only the server has, for the errors of queries. */
function missingTables({ tables }: Manifest, result: RoundResult | null): readonly MissingTable[] {
  const failed = new Set(result?.tables.filter(({ error }) => error !== null).map(({ table }) => table.id));
  return tables.flatMap(({ id, viewName, unavailable }) => {
    if (result?.published.has(id) === true) return [];
    const known = unavailable === null ? undefined : REASONS.get(unavailable.code);
    const reason = failed.has(id) ? "its download failed; run `agnes pull` again" : known;
    return reason === undefined ? [] : [{ id, viewName: viewName ?? id, reason }];
  });
}

/** The tables whose current rows the pull could not get. */
function failedIds(manifest: Manifest, result: RoundResult): string[] {
  const failed = result.tables.filter(({ error }) => error !== null).map(({ table }) => table.id);
  // A table that was never published had no rows to update.
  const isNew = new Set(
    manifest.tables
      .filter(({ id, unavailable }) => unavailable?.code === "not_published" && !result.published.has(id))
      .map(({ id }) => id),
  );
  return [...failed, ...uncertainIds(manifest).filter((id) => !isNew.has(id))].toSorted();
}

function reportOf(
  server: string,
  {
    manifest,
    results,
    names,
    notes,
  }: {
    readonly manifest: Manifest;
    readonly results: readonly RoundResult[];
    /** The view names before the pull, by id. */
    readonly names: ReadonlyMap<string, string>;
    readonly notes: readonly string[];
  },
): PullReport {
  const tables = [
    ...manifest.tables.map((table) => tableReport(table, results)),
    ...[...manifest.invalid].map(([id, error]): PulledTable => ({
      ...reportBase(id, id),
      status: "failed",
      error,
    })),
    ...removedIds(manifest, results).map((id): PulledTable => ({
      ...reportBase(id, names.get(id) ?? id),
      status: "removed",
    })),
  ].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return {
    server,
    status: tables.some(({ status }) => status === "failed") ? "partial" : "complete",
    tables,
    downloadedBytes: tables.reduce((sum, table) => sum + table.downloadedBytes, 0),
    verifiedParts: results.reduce((sum, result) => sum + result.verifiedParts, 0),
    notes,
  };
}

const reportBase = (id: string, viewName: string) => ({
  id,
  viewName,
  rows: null,
  sizeBytes: null,
  downloadedParts: 0,
  downloadedBytes: 0,
  reason: null,
});

function removedIds(manifest: Manifest, results: readonly RoundResult[]): readonly string[] {
  const listed = new Set(manifest.tables.map(({ id }) => id));
  const removed = new Set(results.flatMap((result) => result.removed));
  return [...removed].filter((id) => !listed.has(id) && !results.at(-1)!.published.has(id));
}

function tableReport(table: ManifestTable, results: readonly RoundResult[]): PulledTable {
  const { id, viewName, copy, unavailable } = table;
  const base = reportBase(id, viewName ?? id);
  if (unavailable !== null)
    return { ...base, status: "unavailable", reason: REASONS.get(unavailable.code) ?? unavailable.message };
  const outcomes = results.flatMap((result) => result.tables.filter((one) => one.table.id === id));
  const sum = (count: (one: RoundTable) => number) => outcomes.reduce((total, one) => total + count(one), 0);
  const error = outcomes.at(-1)?.error ?? null;
  const isChanged = outcomes.some((one) => one.isChanged);
  return {
    ...base,
    status: error !== null ? "failed" : isChanged ? "updated" : "unchanged",
    rows: copy!.rows,
    sizeBytes: copy!.sizeBytes,
    downloadedParts: sum((one) => one.downloadedParts),
    downloadedBytes: sum((one) => one.downloadedBytes),
    ...(error !== null && { error }),
  };
}

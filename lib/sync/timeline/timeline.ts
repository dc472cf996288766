import { AgnesError, eachOf, formatValue, type Host } from "../../base/mod.ts";
import { listGenerations } from "../../extract/mod.ts";
import type { RegistryChange, TableRegistry } from "../../tables/mod.ts";
import { dataPaths, type Workspace } from "../../workspace/mod.ts";
import type { RunHistory } from "../runs/runs.ts";
import { entriesOfRun, entryOfChange, entryOfRollback, type Wanted } from "./entries.ts";
import type { Timeline, TimelineEntry, TimelineOptions } from "./types.ts";

const LIMIT = 50;
const LIMIT_MAX = 1000;
/** All runs that are kept. */
const RUNS = 1000;
/** How many entries of the registry's log are read at once. */
const CHANGES_AT_ONCE = 200;
/** How many entries of the registry's log are read at most. */
const CHANGES_MAX = 10_000;
/** How many sources are read at once. */
const SOURCES_AT_ONCE = 4;

interface TimelineServices {
  readonly host: Host;
  readonly workspace: Workspace;
  readonly tables: TableRegistry;
  readonly runs: RunHistory;
}

/**
 * The events of a workspace, the newest first: see `Agnes.timeline`.
 * @throws `table_not_registered`, `invalid_input`
 */
export async function readTimeline(
  services: TimelineServices,
  { table, source, limit = LIMIT, before, access = null }: TimelineOptions,
): Promise<Timeline> {
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX)
    throw invalid("`limit`", `${formatValue(limit)} is not a whole number from 1 to ${LIMIT_MAX}`);
  const cursor = before === undefined ? null : cursorOf(before);
  const found = table === undefined ? null : await tableOf(services.tables, table, access);
  const sourceOfTable = found?.id.split(".")[0];
  const { id = null, unregisteredAt = null } = found ?? {};
  const wanted: Wanted = {
    table: id,
    until: unregisteredAt,
    source: source ?? sourceOfTable ?? null,
    access,
  };
  if (id !== null && source !== undefined && source !== sourceOfTable) return { entries: [], next: null };
  const isOlder = (entry: TimelineEntry) => cursor === null || order(entry) < cursor;
  const all = [
    ...(await runsOf(services, wanted)).filter(isOlder),
    ...(await changesOf(services, wanted, { isOlder, count: limit + 1 })),
    ...(await rollbacksOf(services, wanted)).filter(isOlder),
  ].sort((a, b) => (order(a) < order(b) ? 1 : -1));
  const entries = all.slice(0, limit);
  return { entries, next: all.length > limit ? cursorText(entries.at(-1)!) : null };
}

async function runsOf({ runs }: TimelineServices, wanted: Wanted): Promise<readonly TimelineEntry[]> {
  const { source } = wanted;
  const found = await runs.list({ limit: RUNS, ...(source !== null && { source }) });
  return found.flatMap((run) => (isOver(new Date(run.startedAt), wanted) ? [] : entriesOfRun(run, wanted)));
}

/** The newest wanted changes of the registry, at least `count` if there are as many. */
async function changesOf(
  { tables }: TimelineServices,
  wanted: Wanted,
  { isOlder, count }: { readonly isOlder: (entry: TimelineEntry) => boolean; readonly count: number },
): Promise<readonly TimelineEntry[]> {
  const found: TimelineEntry[] = [];
  for await (const changes of newestChanges(tables, wanted.table ?? undefined)) {
    for (const change of changes) {
      const entry = entryOfChange(change, wanted);
      if (entry !== null && isOlder(entry)) found.push(entry);
    }
    if (found.length >= count) break;
  }
  return found;
}

async function rollbacksOf(
  { host, workspace }: TimelineServices,
  wanted: Wanted,
): Promise<readonly TimelineEntry[]> {
  const { source, table, access } = wanted;
  const isWanted = (name: string) =>
    (source === null || source === name) &&
    (access === null || (table === null ? [...access].some((id) => id.startsWith(`${name}.`)) : true));
  const names = Object.keys(workspace.config.sources).filter(isWanted);
  const found = await eachOf(names, SOURCES_AT_ONCE, async (name) => {
    const directory = dataPaths.extract(workspace.dataDirectory, name);
    const generations = await listGenerations(host.files, directory);
    return generations
      .filter(({ kind, finishedAt }) => kind === "rollback" && !isOver(finishedAt, wanted))
      .map((generation) => entryOfRollback(name, generation, wanted));
  });
  return found.flat();
}

/** A table whose events are requested. */
interface FoundTable {
  readonly id: string;
  /** Null: it is registered. */
  readonly unregisteredAt: Date | null;
}

/** Finds a table, also an unregistered one by the name that it had. One that is not accessible is unknown. */
async function tableOf(
  tables: TableRegistry,
  name: string,
  access: ReadonlySet<string> | null,
): Promise<FoundTable> {
  const registered = await tables.list();
  const lower = name.toLowerCase();
  const found = registered.find(
    ({ id, viewName }) => id.toLowerCase() === lower || viewName.toLowerCase() === lower,
  );
  if (found !== undefined && (access === null || access.has(found.id)))
    return { id: found.id, unregisteredAt: null };
  if (access !== null) throw new AgnesError("table_not_registered", { id: name });
  return (await unregisteredOf(tables, lower)) ?? { id: (await tables.find(name)).id, unregisteredAt: null };
}

/** Finds the table that last had an id or view name, in lower case, and was unregistered. */
async function unregisteredOf(tables: TableRegistry, name: string): Promise<FoundTable | null> {
  for await (const changes of newestChanges(tables)) {
    for (const change of changes) {
      if (change.kind !== "table" || change.action !== "unregister") continue;
      const { id, before, at } = change;
      const names = [id, before?.viewName ?? id].map((one) => one.toLowerCase());
      if (names.includes(name)) return { id, unregisteredAt: new Date(at) };
    }
  }
  return null;
}

/** The changes of the registry, or of one of its tables, the newest first, some at a time. */
async function* newestChanges(tables: TableRegistry, id?: string): AsyncGenerator<readonly RegistryChange[]> {
  const newest = await tables.version();
  let to = newest;
  while (to > Math.max(0, newest - CHANGES_MAX)) {
    const changes = await tables.history({
      first: "newest",
      to,
      limit: CHANGES_AT_ONCE,
      ...(id !== undefined && { id }),
    });
    yield changes;
    to = changes.length === 0 ? 0 : changes.at(-1)!.version - 1;
  }
}

/** Whether something happened after the wanted table was unregistered. */
function isOver(at: Date, { until }: Wanted): boolean {
  return until !== null && at > until;
}

/** Events at the same time have an order, so that pages neither repeat nor lose one. */
function order({ at, id }: TimelineEntry): string {
  return `${at.toISOString()} ${id}`;
}

function cursorText(entry: TimelineEntry): string {
  return Buffer.from(order(entry)).toString("base64url");
}

function cursorOf(text: string): string {
  const cursor = Buffer.from(text, "base64url").toString();
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (run|schema|registry|rollback) /.test(cursor)) return cursor;
  throw invalid("`before`", "it is not `next` of a page of the timeline");
}

function invalid(what: string, reason: string): AgnesError {
  return new AgnesError("invalid_input", { what, reason });
}

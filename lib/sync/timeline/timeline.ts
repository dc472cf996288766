import { AgnesError, eachOf, formatValue, type Host } from "../../base/mod.ts";
import { listGenerations } from "../../extract/mod.ts";
import type { TableRegistry } from "../../tables/mod.ts";
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
  const until = before === undefined ? null : cursorOf(before);
  const id = table === undefined ? null : await tableOf(services.tables, table, access);
  const sourceOfTable = id?.split(".")[0];
  const wanted: Wanted = { table: id, source: source ?? sourceOfTable ?? null, access };
  if (id !== null && source !== undefined && source !== sourceOfTable) return { entries: [], next: null };
  const isOlder = (entry: TimelineEntry) => until === null || order(entry) < until;
  const found = [
    ...(await runsOf(services, wanted)).filter(isOlder),
    ...(await changesOf(services, wanted, { isOlder, count: limit + 1 })),
    ...(await rollbacksOf(services, wanted)).filter(isOlder),
  ].sort((a, b) => (order(a) < order(b) ? 1 : -1));
  const entries = found.slice(0, limit);
  return { entries, next: found.length > limit ? cursorText(entries.at(-1)!) : null };
}

async function runsOf({ runs }: TimelineServices, wanted: Wanted): Promise<readonly TimelineEntry[]> {
  const { source } = wanted;
  const found = await runs.list({ limit: RUNS, ...(source !== null && { source }) });
  return found.flatMap((run) => entriesOfRun(run, wanted));
}

/** The newest wanted changes of the registry, at least `count` if there are as many. */
async function changesOf(
  { tables }: TimelineServices,
  wanted: Wanted,
  { isOlder, count }: { readonly isOlder: (entry: TimelineEntry) => boolean; readonly count: number },
): Promise<readonly TimelineEntry[]> {
  const found: TimelineEntry[] = [];
  const newest = await tables.version();
  let to = newest;
  while (to > Math.max(0, newest - CHANGES_MAX) && found.length < count) {
    const changes = await tables.history({
      first: "newest",
      to,
      limit: CHANGES_AT_ONCE,
      ...(wanted.table !== null && { id: wanted.table }),
    });
    for (const change of changes) {
      const entry = entryOfChange(change, wanted);
      if (entry !== null && isOlder(entry)) found.push(entry);
    }
    to = changes.length === 0 ? 0 : changes.at(-1)!.version - 1;
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
      .filter(({ kind }) => kind === "rollback")
      .map((generation) => entryOfRollback(name, generation, wanted));
  });
  return found.flat();
}

/** The id of a table. One that is not accessible is unknown, and an unregistered one has only its id. */
async function tableOf(
  tables: TableRegistry,
  name: string,
  access: ReadonlySet<string> | null,
): Promise<string> {
  const registered = await tables.list();
  const lower = name.toLowerCase();
  const found = registered.find(
    ({ id, viewName }) => id.toLowerCase() === lower || viewName.toLowerCase() === lower,
  );
  if (found !== undefined && (access === null || access.has(found.id))) return found.id;
  if (access !== null) throw new AgnesError("table_not_registered", { id: name });
  if (found === undefined && name.includes(".")) {
    const [last] = await tables.history({ id: name, first: "newest", limit: 1 });
    if (last !== undefined) return last.id;
  }
  return (await tables.find(name)).id;
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

import { counted } from "../../base/mod.ts";
import type { Generation } from "../../extract/format/mod.ts";
import { storedName, type RegistryChange } from "../../tables/mod.ts";
import type { Run, RunTable } from "../runs/types.ts";
import type { TimelineEntry } from "./types.ts";

/** The changed fields that a line lists. */
const FIELDS_SHOWN = 6;

const NOTHING = {
  source: null,
  table: null,
  actor: null,
  runId: null,
  status: null,
  error: null,
  version: null,
  generation: null,
} as const;

/** The events to collect. */
export interface Wanted {
  /** The id of a table; null: all. */
  readonly table: string | null;
  /** When that table was unregistered; null: it is registered. */
  readonly until: Date | null;
  readonly source: string | null;
  /** The ids of the accessible tables; null: all. */
  readonly access: ReadonlySet<string> | null;
}

/** The events of a run: that it began, and the tables whose columns it changed. */
export function entriesOfRun(run: Run, wanted: Wanted): readonly TimelineEntry[] {
  const { source, id: runId } = run;
  const [, name = null] = wanted.table === null ? [] : wanted.table.split(".");
  const common = { ...NOTHING, source, runId, at: new Date(run.startedAt) };
  const canSee = (table: string) => wanted.access === null || wanted.access.has(`${source}.${table}`);
  const changed = run.tables.filter(
    (table) => table.schemaChanges.length > 0 && canSee(table.name) && (name === null || name === table.name),
  );
  const changes = changed.map((table) => ({
    ...common,
    id: `schema ${runId} ${table.name}`,
    kind: "schema_change" as const,
    table: `${source}.${table.name}`,
    summary: table.schemaChanges.join("; "),
    generation: run.generation,
  }));
  if (!concerns(run, name, wanted.access)) return changes;
  const entry = { ...common, id: `run ${runId}`, kind: "run" as const, table: wanted.table };
  if (wanted.access !== null) return [...changes, { ...entry, ...limitedRun(run, name, wanted.access) }];
  const own = name === null ? null : (run.tables.find((table) => table.name === name) ?? null);
  return [
    ...changes,
    {
      ...entry,
      summary: runText(run, own),
      actor: run.actor,
      status: run.status,
      error: own?.error ?? run.error,
      generation: run.published ? run.generation : null,
    },
  ];
}

/** What a run did for the accessible tables alone: its status and generation may be those of other tables. */
function limitedRun(
  run: Run,
  name: string | null,
  access: ReadonlySet<string>,
): Pick<TimelineEntry, "summary" | "status" | "generation"> {
  const names = [...access].flatMap((id) => (id.startsWith(`${run.source}.`) ? [id.split(".")[1]!] : []));
  const isOwn = (table: string) => (name ?? table) === table && run.requested?.includes(table) !== false;
  const own = new Set(names.filter(isOwn));
  const failed = run.tables.filter((table) => table.status === "failed");
  const ownFailed = failed.filter((table) => own.has(table.name)).length;
  const hasNewRows = run.tables.some((table) => own.has(table.name) && table.status === "extracted");
  let { status } = run;
  // Only the first tables of a run are kept.
  const areFailedKnown = run.error === null && failed.length === run.counts.failed;
  if ((status === "partial" || status === "failed") && areFailedKnown)
    status = ownFailed === 0 ? "complete" : ownFailed < own.size ? "partial" : "failed";
  return {
    summary: `run ${status}`,
    status,
    generation: run.published && hasNewRows ? run.generation : null,
  };
}

/** Whether a run concerns a table, or any accessible one. A run of the whole source concerns all its tables. */
function concerns(run: Run, name: string | null, access: ReadonlySet<string> | null): boolean {
  const { requested, source } = run;
  if (name !== null) return requested === null || requested.includes(name);
  if (access === null) return true;
  if (requested !== null) return requested.some((table) => access.has(`${source}.${table}`));
  return [...access].some((id) => id.startsWith(`${source}.`));
}

function runText({ status, counts, skips, trigger }: Run, table: RunTable | null): string {
  const by = trigger === "schedule" ? "scheduled " : "";
  const { extracted, unchanged, failed } = counts;
  if (table !== null) {
    const result = table.status === "extracted" ? "updated" : table.status;
    return `${by}run ${status}: ${result}, ${counted(table.rows, "row")}`;
  }
  const isOver = extracted + unchanged + failed > 0;
  if (skips !== null) return `${by}run ${status}, ${counted(skips.count, "time")} since ${skips.since}`;
  return `${by}run ${status}${isOver ? `: ${extracted} updated, ${unchanged} unchanged, ${failed} failed` : ""}`;
}

const VERBS = {
  register: "registered",
  update: "changed",
  unregister: "unregistered",
  set_folder: "folder set",
  clear_folder: "folder removed",
} as const;

/** The event of a change of the registry; null if it is not wanted. Values are not shown, only the names of fields. */
export function entryOfChange(change: RegistryChange, wanted: Wanted): TimelineEntry | null {
  const { access, source: only } = wanted;
  const isTable = change.kind === "table";
  const source = isTable ? (change.after ?? change.before)!.source : null;
  const table = isTable ? change.id : null;
  if (only !== null && source !== only) return null;
  if (wanted.table !== null && table?.toLowerCase() !== wanted.table.toLowerCase()) return null;
  if (access !== null && (table === null || !access.has(table))) return null;
  const fields = change.action === "update" ? `: ${fieldsText(change.changed)}` : "";
  const bucket = isTable ? "" : ` of bucket ${change.id}`;
  return {
    ...NOTHING,
    // The version also counts the changes of other tables.
    id: `registry ${access === null ? String(change.version).padStart(12, "0") : change.action} ${change.kind} ${change.id}`,
    at: new Date(change.at),
    kind: "registry_change",
    source,
    table,
    summary: `${VERBS[change.action]}${bucket}${fields}`,
    actor: access === null ? change.actor : null,
    version: access === null ? change.version : null,
  };
}

function fieldsText(fields: readonly string[]): string {
  const shown = fields.slice(0, FIELDS_SHOWN).map(storedName).join(", ");
  const more = fields.length - FIELDS_SHOWN;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** The event of a generation that a rollback published. */
export function entryOfRollback(
  source: string,
  { number, finishedAt, actor }: Generation,
  { access }: Wanted,
): TimelineEntry {
  // Its number also counts the generations that changed other tables only.
  const isWhole = access === null;
  return {
    ...NOTHING,
    id: `rollback ${source}${isWhole ? ` ${number}` : ""}`,
    at: finishedAt,
    kind: "rollback",
    source,
    summary: `rollback: an earlier generation was published again${isWhole ? `, as ${number}` : ""}`,
    actor: isWhole ? (actor ?? null) : null,
    generation: isWhole ? number : null,
  };
}

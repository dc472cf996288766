import * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";
import { unreadable, type FromProcess } from "./messages.ts";

const count = v.number();
const counts = <K extends string>(...names: readonly K[]) =>
  v.looseObject(Object.fromEntries(names.map((name) => [name, count])) as Record<K, typeof count>);
const error = v.instance(AgnesError);
const texts = v.array(v.string());
const optionalCount = v.optional(count);

const progress = v.looseObject({
  table: v.string(),
  phase: v.picklist(["reading", "merging", "done", "failed"]),
  sourcePhase: v.optional(v.string()),
  rows: count,
  sizeBytes: count,
  rowsPerSecond: count,
  totalRows: optionalCount,
  bytesRead: optionalCount,
  totalBytes: optionalCount,
  elapsedMs: count,
});

const schemaChange = v.looseObject({ kind: v.string() });

const table = v.intersect([
  counts(
    "rowsRead",
    "rowsDeleted",
    "rowsQuarantined",
    "rows",
    "sizeBytes",
    "parts",
    "partsWritten",
    "elapsedMs",
  ),
  v.looseObject({
    id: v.string(),
    name: v.string(),
    status: v.picklist(["extracted", "unchanged", "failed"]),
    schemaChanges: v.array(schemaChange),
    notes: texts,
    error: v.optional(error),
  }),
]);

const stats = v.intersect([
  counts("tablesExtracted", "tablesFailed", "tablesSkipped", "totalRows", "totalBytes", "elapsedMs"),
  v.looseObject({
    generation: v.nullable(count),
    published: v.boolean(),
    schemaChanges: v.array(schemaChange),
    errors: v.array(v.looseObject({ table: v.string(), error })),
    tables: v.array(table),
  }),
]);

const events = v.intersect([
  counts("merged", "replayed", "superseded", "quarantined"),
  v.looseObject({ waiting: v.nullable(count), tables: v.array(v.looseObject({})) }),
]);

const report = v.looseObject({
  source: v.string(),
  status: v.picklist(["complete", "partial", "failed", "unregistered", "skipped"]),
  stats: v.optional(stats),
  events: v.optional(events),
  error: v.optional(error),
  registered: texts,
  notes: texts,
});

const outcome = v.object({
  table: v.string(),
  status: v.picklist(["computed", "failed"]),
  code: v.optional(v.string()),
  reason: v.optional(v.string()),
  elapsedMs: count,
});

const health = v.object({
  source: v.string(),
  state: v.picklist(["ok", "failed", "unknown"]),
  code: v.nullable(v.string()),
  reason: v.nullable(v.string()),
});

const fromProcess = v.variant("type", [
  v.object({ type: v.literal("progress"), progress }),
  v.object({ type: v.literal("active") }),
  v.object({ type: v.literal("begun"), name: v.string() }),
  v.object({ type: v.literal("profiled"), outcome }),
  v.object({ type: v.literal("checked"), result: health }),
  v.object({
    type: v.literal("log"),
    entry: v.object({
      level: v.picklist(["debug", "info", "warn", "error"]),
      message: v.string(),
      fields: v.record(v.string(), v.unknown()),
    }),
  }),
  v.object({ type: v.literal("turn") }),
  v.object({ type: v.literal("registered") }),
  v.object({ type: v.literal("report"), report }),
  v.object({ type: v.literal("done") }),
  v.object({ type: v.literal("failed"), error }),
]);

/**
 * Checks the form of a message of a process. A connector can write to the stream of its process, so it may be any.
 *
 * @param names the sources, or the tables, of the task
 * @throws `internal`
 */
export function checkMessage(names: ReadonlySet<string>, message: FromProcess): FromProcess {
  const { success, issues } = v.safeParse(fromProcess, message);
  const path = success ? null : (v.getDotPath(issues[0]) ?? "type");
  if (path !== null) throw unreadable(`${path} is not valid`);
  const name = nameOf(message);
  if (name !== null && !names.has(name)) throw unreadable("it is about another source or table");
  return message;
}

/** The source or table that a message is about. */
function nameOf(message: FromProcess): string | null {
  if (message.type === "begun") return message.name;
  if (message.type === "profiled") return message.outcome.table;
  if (message.type === "checked") return message.result.source;
  return message.type === "report" ? message.report.source : null;
}

import * as v from "valibot";

import { tableStatuses } from "../../sync/mod.ts";
import { sourceHealthBody } from "../health/source-health.ts";

const described = <S extends v.GenericSchema>(schema: S, text: string) => v.pipe(schema, v.description(text));
const text = v.string();
const textOrNull = v.nullable(v.string());
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(400));

/** The path of the routes of one run. */
export const runPath = v.strictObject({
  id: v.pipe(v.string(), v.maxLength(100), v.description("Id of a run")),
});

/** The parameter `limit` of a list. */
export const limitQuery = (of: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:[1-9][0-9]{0,2}|1000)$/, "it must be a number from 1 to 1000"),
      v.description(`Maximum number of ${of}, from 1 to 1,000; default: 50`),
    ),
  );

/** The query string of `GET /api/runs`. */
export const runsQuery = v.strictObject({
  source: v.optional(v.pipe(name, v.description("Only the runs of this source; default: all"))),
  limit: limitQuery("runs"),
});

/** The status of a run. */
export const runStatus = described(
  v.picklist(["running", "complete", "partial", "failed", "unregistered", "skipped", "stopped", "lost"]),
  "skipped: the source was not ready, see `error`; lost: its process ended before the run did",
);
const error = v.nullable(v.object({ code: text, message: text, hint: text }));
const progress = v.object({
  table: text,
  phase: text,
  rows: v.number(),
  size_bytes: v.number(),
  share: described(v.nullable(v.number()), "The part that is done, from 0 to 1; null: unknown"),
});

/** A run. */
export const runBody = v.object({
  id: text,
  source: text,
  trigger: described(v.picklist(["cli", "library", "http", "schedule"]), "What requested it"),
  actor: described(text, "Who requested it"),
  full: described(v.boolean(), "Whether all rows were read again"),
  requested: described(v.nullable(v.array(text)), "The names of the requested tables; null: all"),
  started_at: text,
  ended_at: described(textOrNull, "null: it is not over, or was lost"),
  status: runStatus,
  generation: described(
    v.nullable(v.number()),
    "The generation of the source after the run; null: none, or the run failed",
  ),
  published: described(v.boolean(), "Whether this run published it"),
  counts: v.object({ extracted: v.number(), unchanged: v.number(), failed: v.number() }),
  tables: described(
    v.array(
      v.object({
        name: text,
        status: v.picklist(["extracted", "unchanged", "failed"]),
        rows: v.number(),
        size_bytes: v.number(),
        rows_read: v.number(),
        schema_changes: v.array(text),
        error,
        elapsed_ms: v.number(),
      }),
    ),
    "Tables with new data or an error; at most 200",
  ),
  error,
  skips: described(
    v.nullable(v.object({ count: v.number(), since: text })),
    "For a skipped run: the number of runs that were skipped for the same reason, the last of which this is, and the start of the first; null: only this one",
  ),
  warning: described(
    error,
    "Why queries do not return its new rows yet, although it has published them; null: they do, or it published none",
  ),
  progress: described(v.array(progress), "The progress of its tables while it runs"),
});

/** The response of `GET /api/runs`. */
export const runsBody = v.object({ runs: v.array(runBody) });

/** The response of `GET /api/sync/status`. */
export const syncStatusBody = v.object({
  locked: described(
    v.boolean(),
    "Whether any source is being synced; for a caller with access to some tables, whether any of them is",
  ),
  scheduler: described(
    v.picklist(["active", "standby", "failed", "stopped"]),
    "active: this server syncs what is due; standby: another process of the workspace does; failed: see the log of the server",
  ),
  tables: v.array(
    v.object({
      id: text,
      view_name: text,
      source: text,
      status: v.picklist(tableStatuses),
      schedule: textOrNull,
      due_at: textOrNull,
      attempted_at: textOrNull,
      succeeded_at: textOrNull,
      failures: described(v.number(), "Failed syncs since the last successful one"),
      error,
      run_id: textOrNull,
      progress: v.nullable(progress),
    }),
  ),
  sources: described(
    v.array(v.object({ name: text, health: sourceHealthBody })),
    "The health of the sources of these tables",
  ),
  server_time: text,
});

/** The body of `POST /api/sync/trigger`. */
export const triggerBody = v.strictObject({
  tables: v.optional(
    v.pipe(
      v.array(name),
      v.minLength(1),
      v.maxLength(10_000),
      v.description("Ids or view names of tables; default: all. Not together with `source`"),
    ),
  ),
  full: v.optional(described(v.boolean(), "Read all rows again; default: false")),
});

/** The query string of `POST /api/sync/trigger`. */
export const triggerQuery = v.strictObject({
  source: v.optional(
    v.pipe(name, v.description("Sync this source; default: all, unless the body has tables")),
  ),
});

/** The response of `POST /api/sync/trigger`. */
export const triggeredBody = v.object({
  status: v.literal("triggered"),
  sources: described(v.array(text), "The sources to sync"),
  tables: described(v.nullable(v.array(text)), "The requested tables; null: all of the sources"),
  job_id: described(textOrNull, "The id of the first run; null: no run was necessary"),
  runs: described(
    v.array(v.object({ id: text, source: text })),
    "The runs that began; those of other sources follow",
  ),
});

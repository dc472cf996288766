import * as v from "valibot";

import { sourceHealthBody } from "./source-health.ts";

/** What everyone sees. */
export const healthStatus = v.object({
  status: v.pipe(v.literal("ok"), v.description("The server responds")),
});

const source = v.object({
  name: v.string(),
  plugin: v.string(),
  plugin_loaded: v.boolean(),
  receives_webhooks: v.boolean(),
  last_sync_at: v.pipe(
    v.nullable(v.string()),
    v.description("Start of the last successful sync of a published table, ISO 8601; null: unknown"),
  ),
  health: v.pipe(v.nullable(sourceHealthBody), v.description("By its last check; null: not readable")),
  last_error: v.pipe(
    v.nullable(v.object({ name: v.string(), code: v.string() })),
    v.description("The source or table that the last rebuild could not publish, and the code of the error"),
  ),
});

/** What administrators see. */
export const healthDetailSchema = v.object({
  status: v.pipe(v.picklist(["ok", "degraded"]), v.description("degraded: a part needs attention")),
  db_schema: v.pipe(
    v.picklist(["ok", "mismatch", "unhealthy"]),
    v.description(
      "The file of all published tables. mismatch: another version wrote it; unhealthy: it cannot be read, or lacks tables",
    ),
  ),
  generation: v.pipe(v.nullable(v.number()), v.description("The published generation; null: none")),
  config_version: v.pipe(v.number(), v.description("`version` of `agnes.yaml`")),
  state_format: v.pipe(v.number(), v.description("The format of the registry and the other state on disk")),
  sources: v.array(source),
  remote_tables: v.array(
    v.object({
      id: v.string(),
      access: v.pipe(
        v.picklist(["attach", "live"]),
        v.description("attach: DuckDB reads the source; live: its connector reads it"),
      ),
    }),
  ),
  disk: v.object({
    free_bytes: v.pipe(
      v.nullable(v.number()),
      v.description("Free space for the data folder; null: unknown"),
    ),
  }),
  extensions: v.pipe(
    v.nullable(v.array(v.object({ name: v.string(), version: v.string() }))),
    v.description("The DuckDB extensions of the machine; null: unknown"),
  ),
  scheduler: v.pipe(
    v.picklist(["active", "standby", "failed", "stopped"]),
    v.description("Whether this server syncs what is due; see `GET /api/sync/status`"),
  ),
  workers: v.pipe(
    v.nullable(
      v.object({ running: v.number(), busy: v.number(), configured: v.number(), waiting: v.number() }),
    ),
    v.description("The worker processes of queries; null: queries run in the server"),
  ),
  outdated: v.pipe(
    v.nullable(v.object({ sources: v.array(v.string()), hint: v.string() })),
    v.description(
      "The sources of which queries return earlier rows, because the rebuild after their last sync failed, and the next command; null: none",
    ),
  ),
  failed: v.pipe(v.array(v.string()), v.description("The parts that could not be checked in time")),
});

/** See `healthDetailSchema`. */
export type HealthDetail = v.InferOutput<typeof healthDetailSchema>;

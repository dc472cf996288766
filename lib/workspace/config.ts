import * as v from "valibot";

import { serverConfig } from "./server-config.ts";

/** A map by name. Valibot's record schema alone would accept an array as an empty map. */
const INHERITED = ["constructor", "prototype", "__proto__"];

const mapOf = <const V extends v.GenericSchema>(value: V) =>
  v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(
      (input) => typeof input === "object" && input !== null && !Array.isArray(input),
      "a map",
    ),
    // `v.record` would leave them out without an error.
    v.check(
      (input) => !INHERITED.some((name) => Object.hasOwn(input, name)),
      `it has one of the names ${INHERITED.join(", ")}, which cannot be used`,
    ),
    v.record(v.string(), value),
  );

const whole = (least: number, description: string) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.description(description));

/** One entry of `sources:`. */
const sourceConfig = v.strictObject({
  plugin: v.pipe(v.string(), v.nonEmpty(), v.description("Name of the plugin for this kind of source")),
  options: v.optional(
    v.pipe(mapOf(v.unknown()), v.description("Options of the plugin; see `agnes connector show`")),
    {},
  ),
  secrets: v.optional(
    v.pipe(
      mapOf(v.string()),
      v.description("Environment variable for each secret of the plugin; default: the name of the secret"),
    ),
    {},
  ),
  register: v.optional(
    v.pipe(
      v.picklist(["all", "listed"]),
      v.description(
        "all: `sync` registers all tables of the source; listed: it syncs only registered tables; default: the plugin's setting, or all",
      ),
    ),
  ),
  timeoutMs: v.optional(whole(1, "Timeout of a run of this source, in milliseconds")),
  stalledMs: v.optional(
    whole(
      1,
      "Time without progress after which `agnes serve` stops a run of this source, in milliseconds; default: that of limits",
    ),
  ),
  materializeTimeoutMs: v.optional(
    whole(
      1,
      "Timeout of the query of a materialized table, with its rows, in milliseconds; default: one hour",
    ),
  ),
});

/** The content of `agnes.yaml`, and the part of `createAgnes` that describes a workspace. */
export const workspaceConfig = v.strictObject({
  version: v.pipe(v.literal(1), v.description("Version of the configuration format")),
  plugins: v.optional(
    v.pipe(v.array(v.string()), v.description("Packages or paths of additional plugins")),
    [],
  ),
  sources: v.optional(
    v.pipe(mapOf(sourceConfig), v.description("The sources of the workspace, by name")),
    {},
  ),
  limits: v.optional(
    v.pipe(
      v.strictObject({
        memoryMb: v.optional(whole(64, "Memory limit of DuckDB, in MB"), 1024),
        threads: v.exactOptional(whole(1, "Threads of DuckDB; default: the number of CPU cores")),
        temporaryMb: v.optional(whole(0, "Disk space for temporary files of DuckDB, in MB"), 10_240),
        sourcesAtOnce: v.optional(
          whole(1, "Sources that a sync runs concurrently; memoryMb applies to each"),
          4,
        ),
        stalledMs: v.optional(
          whole(
            1,
            "Time without progress after which `agnes serve` stops a run of a source, in milliseconds; at least materializeTimeoutMs if the source has materialized tables",
          ),
          900_000,
        ),
      }),
      v.description("Resource limits of a source run or a query"),
    ),
    {},
  ),
  copy: v.exactOptional(
    v.pipe(
      v.strictObject({
        server: v.pipe(
          v.string(),
          v.check(
            (text) => URL.canParse(text) && new URL(text).origin === text,
            "copy.server is not the address of a server, such as https://agnes.example.com",
          ),
          v.description("Address of the server whose tables `agnes pull` copies"),
        ),
      }),
      v.description("Set in a copy of the tables of a server"),
    ),
  ),
  server: v.optional(v.pipe(serverConfig, v.description("Settings of the HTTP server")), {}),
});

/** One entry of `sources:`, checked, with its defaults. */
export type SourceConfig = v.InferOutput<typeof sourceConfig>;
/** The content of `agnes.yaml`, checked, with its defaults. */
export type WorkspaceConfig = v.InferOutput<typeof workspaceConfig>;
/** The content of `agnes.yaml` as written, in which fields with defaults are optional. */
export type WorkspaceConfigInput = v.InferInput<typeof workspaceConfig>;

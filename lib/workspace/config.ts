import * as v from "valibot";

/** A map by name. Valibot's own record would take a list for an empty map. */
const mapOf = <const V extends v.GenericSchema>(value: V) =>
  v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(
      (input) => typeof input === "object" && input !== null && !Array.isArray(input),
      "a map",
    ),
    v.record(v.string(), value),
  );

const whole = (least: number, description: string) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.description(description));

/** One entry of `sources:`. */
export const sourceConfig = v.strictObject({
  plugin: v.pipe(
    v.string(),
    v.nonEmpty(),
    v.description("Name of the plugin that knows this kind of source"),
  ),
  options: v.optional(
    v.pipe(mapOf(v.unknown()), v.description("Options of the plugin; see `agnes connector show`")),
    {},
  ),
  secrets: v.optional(
    v.pipe(
      mapOf(v.string()),
      v.description("Environment variable for each of the plugin's secrets; default: the secret's own name"),
    ),
    {},
  ),
  register: v.optional(
    v.pipe(
      v.picklist(["all", "listed"]),
      v.description(
        "Whether `sync` registers every table the source has, or only syncs those registered; default: what the plugin says, or else all",
      ),
    ),
  ),
  timeoutMs: v.optional(whole(1, "Longest a run of this source may take, ms")),
});

/** The content of `agnes.yaml`, and the part of `createAgnes` that describes a workspace. */
export const workspaceConfig = v.strictObject({
  version: v.pipe(v.literal(1), v.description("Version of this format")),
  plugins: v.optional(
    v.pipe(v.array(v.string()), v.description("Packages or paths of plugins beside the bundled ones")),
    [],
  ),
  sources: v.optional(
    v.pipe(mapOf(sourceConfig), v.description("The sources of this workspace by name")),
    {},
  ),
  limits: v.optional(
    v.pipe(
      v.strictObject({
        memoryMb: v.optional(whole(64, "Memory DuckDB may use, MB"), 1024),
        threads: v.exactOptional(whole(1, "Threads DuckDB may use; default: the cores")),
        temporaryMb: v.optional(whole(0, "Disk DuckDB may spill to, MB"), 10_240),
        sourcesAtOnce: v.optional(whole(1, "Sources that one sync runs at once; each may use the memory"), 4),
      }),
      v.description("What the run of a source or a query may use of the machine"),
    ),
    {},
  ),
});

/** One entry of `sources:`, checked, with its defaults. */
export type SourceConfig = v.InferOutput<typeof sourceConfig>;
/** The content of `agnes.yaml`, checked, with its defaults. */
export type WorkspaceConfig = v.InferOutput<typeof workspaceConfig>;
/** What a person may write: the same with defaults left out. */
export type WorkspaceConfigInput = v.InferInput<typeof workspaceConfig>;

import { dirname, join, resolve } from "node:path";

import { AgnesError, type Files, type Host } from "../base/mod.ts";
import { checkConfig } from "./check.ts";
import type { WorkspaceConfig } from "./config.ts";
import type { PlaceOf } from "./placed-error.ts";

/** The name of the configuration file of a workspace. */
export const CONFIG_FILE = "agnes.yaml";

/** A workspace: its folder, its data folder and its checked configuration. */
export interface Workspace {
  /** Absolute path of the folder that contains `agnes.yaml`. */
  readonly directory: string;
  /** Absolute path of the data folder. Default: `AGNES_DATA_DIR`, or `data` in the workspace. */
  readonly dataDirectory: string;
  /** The content of `agnes.yaml`, checked, with its defaults. */
  readonly config: WorkspaceConfig;
  /** Returns the position of a setting in `agnes.yaml`; missing if the configuration is not in a file. */
  readonly placeOf?: PlaceOf;
}

/** Paths inside a data folder. */
export const dataPaths = {
  extracts: (data: string): string => join(data, "extracts"),
  extract: (data: string, source: string): string => join(data, "extracts", source),
  analytics: (data: string): string => join(data, "analytics", "analytics.duckdb"),
  profiles: (data: string): string => join(data, "profiles"),
  /** Contains a folder for each catalog. */
  state: (data: string): string => join(data, "state"),
  /** Contains what is known of the server whose tables are copied. */
  copy: (data: string): string => join(data, "copy"),
  /** Contains the locks and the progress of runs that are not over. */
  running: (data: string): string => join(data, "running"),
  metadata: (data: string): string => join(data, "metadata"),
} as const;

/** The files and folders of a workspace that are no data of its sources. Users may keep other files beside them. */
export function ownPaths({
  directory,
  dataDirectory: data,
}: Pick<Workspace, "directory" | "dataDirectory">): readonly string[] {
  const { extracts, analytics, profiles, state, copy, running, metadata } = dataPaths;
  return [
    join(directory, CONFIG_FILE),
    dirname(analytics(data)),
    ...[extracts, profiles, state, copy, running, metadata].map((pathOf) => pathOf(data)),
  ];
}

/**
 * Finds the nearest folder with an `agnes.yaml`, in `from` or its parents.
 * @throws `workspace_missing`
 */
export async function findWorkspace(files: Files, from: string): Promise<string> {
  let directory = resolve(from);
  for (;;) {
    if ((await files.stat(join(directory, CONFIG_FILE))) !== null) return directory;
    const parent = dirname(directory);
    if (parent === directory) throw new AgnesError("workspace_missing", { directory: resolve(from) });
    directory = parent;
  }
}

/**
 * Reads and checks a workspace.
 *
 * @param options.from a folder in the workspace; default: the current folder
 * @param options.exact the workspace folder; default: `AGNES_WORKSPACE`; overrides `from`
 * @throws `workspace_missing`, `config_malformed`, `config_unknown_key`, `config_invalid`, `invalid_identifier`
 */
export async function openWorkspace(
  host: Pick<Host, "files" | "env">,
  options: { readonly exact?: string; readonly from?: string } = {},
): Promise<Workspace> {
  const named = options.exact ?? host.env["AGNES_WORKSPACE"];
  const directory =
    named === undefined ? await findWorkspace(host.files, options.from ?? process.cwd()) : resolve(named);
  const path = join(directory, CONFIG_FILE);
  const bytes = await host.files.read(path);
  if (bytes === null)
    throw new AgnesError("workspace_missing", { directory, isSelected: named !== undefined });
  const { content, placeOf } = await parseYaml(new TextDecoder().decode(bytes), path);
  const config = checkConfig(content, path, placeOf);
  return { directory, dataDirectory: dataDirectoryOf(host.env, directory), config, placeOf };
}

/** The data folder of a workspace folder. */
export function dataDirectoryOf(env: Host["env"], directory: string): string {
  return resolve(directory, env["AGNES_DATA_DIR"] ?? "data");
}

async function parseYaml(
  text: string,
  path: string,
): Promise<{ readonly content: unknown; readonly placeOf: PlaceOf }> {
  const { LineCounter, parseDocument } = await import("yaml");
  const { placesIn } = await import("./places.ts");
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter });
  const [error] = document.errors;
  if (error !== undefined) {
    const at = error.linePos?.[0];
    const reason = error.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "");
    throw new AgnesError("config_malformed", {
      path,
      reason,
      ...(at === undefined ? {} : { line: at.line, column: at.col }),
    });
  }
  try {
    const content = document.toJS({ maxAliasCount: 100 }) as unknown;
    return { content, placeOf: placesIn(document, lineCounter, path) };
  } catch (cause) {
    throw new AgnesError("config_malformed", { path, reason: (cause as Error).message }, { cause });
  }
}

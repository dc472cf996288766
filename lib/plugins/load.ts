import { createRequire } from "node:module";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import {
  AgnesError,
  isAgnesError,
  messageOf,
  nodeFiles,
  printable,
  readableError,
  withDeadline,
  type Files,
} from "../base/mod.ts";
import type { AnyPlugin } from "../kit/mod.ts";
import { checkPlugin } from "./check.ts";
import { firstError, positionIn, positionOf } from "./load-position.ts";
import type { PluginFailure } from "./registry.ts";

/** The folder of a workspace for local plugins. */
export const PLUGINS_FOLDER = "plugins";

/** A top-level `await` in a plugin must not block every command. */
const IMPORT_TIMEOUT_MS = 10_000;

const EXTENSIONS = [".ts", ".mts", ".js", ".mjs"];

/** Imports a module by its absolute path and returns its exports. */
export type PluginImporter = (path: string) => Promise<unknown>;

/** Uses the `import` of the runtime. Bun supports TypeScript; Node.js needs JavaScript. */
const importModule: PluginImporter = (path) => import(pathToFileURL(path).href);

/**
 * Loads the plugins of a workspace: first the entries of `plugins:`, then the files of its folder `plugins/`.
 *
 * A plugin that cannot be loaded is reported with its file and the reason; the others still work.
 *
 * @param directory the workspace
 * @param entries `plugins:` of agnes.yaml: paths relative to the workspace, or packages installed there
 * @param options.taken names of other plugins
 * @param options.timeoutMs the timeout for the import of one plugin; default: 10 seconds
 */
export async function loadWorkspacePlugins(
  directory: string,
  entries: readonly string[],
  importer: PluginImporter = importModule,
  options: { readonly files?: Files; readonly taken?: readonly string[]; readonly timeoutMs?: number } = {},
): Promise<{ readonly plugins: readonly AnyPlugin[]; readonly failures: readonly PluginFailure[] }> {
  const files = options.files ?? nodeFiles();
  const plugins: AnyPlugin[] = [];
  const failures: PluginFailure[] = [];
  const places = new Map((options.taken ?? []).map((name): [string, string] => [name, "a bundled plugin"]));
  const found = await filesOfFolder(join(directory, PLUGINS_FOLDER), files);
  const named = entries.map((entry) => () => fileOfEntry(directory, entry, files));
  const loaded = new Set<string>();
  for (const [at, locate] of [...named, ...found.map((file) => () => Promise.resolve(file))].entries()) {
    let file = entries[at] ?? "";
    try {
      file = await locate();
      if (loaded.has(file)) continue;
      loaded.add(file);
      const plugin = await loadPlugin(file, importer, options.timeoutMs ?? IMPORT_TIMEOUT_MS, files);
      const place = places.get(plugin.name);
      if (place !== undefined) {
        const reason = `${place} has the same name`;
        throw new AgnesError("plugin_invalid", { plugin: plugin.name, reason, file });
      }
      places.set(plugin.name, file);
      plugins.push(plugin);
    } catch (error) {
      if (!isAgnesError(error)) throw error;
      const { file: place = file } = error.details as { readonly file?: string };
      failures.push({ file: place, error });
    }
  }
  return { plugins, failures };
}

async function loadPlugin(
  file: string,
  importer: PluginImporter,
  timeoutMs: number,
  files: Files,
): Promise<AnyPlugin> {
  const text = async () => new TextDecoder().decode((await files.read(file)) ?? new Uint8Array());
  let exported: unknown;
  try {
    exported = await withDeadline("its import", { timeoutMs }, () => importer(file));
  } catch (thrown) {
    const cause = readableError(thrown);
    const reason = printable(messageOf(firstError(cause)).split("\n")[0] ?? "") || "its import failed";
    const place = positionOf(cause, file, await text());
    throw new AgnesError("plugin_load_failed", { file, reason, ...(place && { place }) }, { cause });
  }
  const plugin = (exported as { readonly default?: unknown } | null)?.default;
  if (plugin === undefined) {
    throw new AgnesError("plugin_load_failed", {
      file,
      reason: "it has no default export: add `export default definePlugin({ … })`",
    });
  }
  try {
    return checkPlugin(plugin, file);
  } catch (error) {
    if (!isAgnesError(error, "plugin_invalid")) throw error;
    const place = positionIn(file, await text(), "export default");
    throw new AgnesError("plugin_invalid", { ...error.details, ...(place && { place }) });
  }
}

/** Returns `<name>.ts` and `<name>/plugin.ts` of the folder, sorted, without tests and declaration files. */
export async function filesOfFolder(folder: string, files: Files): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of (await files.list(folder)) ?? []) {
    if (/^[._]|\.(test|spec)\.\w+$|\.d\.m?ts$/.test(name) || name === "node_modules") continue;
    const path = join(folder, name);
    const isDirectory = (await files.stat(path))?.isDirectory === true;
    if (!isDirectory && EXTENSIONS.some((extension) => name.endsWith(extension))) found.push(path);
    if (!isDirectory) continue;
    for (const extension of EXTENSIONS) {
      const file = join(path, `plugin${extension}`);
      if ((await files.stat(file)) === null) continue;
      found.push(file);
      break;
    }
  }
  return found;
}

async function fileOfEntry(directory: string, entry: string, files: Files): Promise<string> {
  const path = resolve(directory, entry);
  const stat = await files.stat(path);
  if (stat !== null && !stat.isDirectory) return path;
  if (stat !== null) {
    for (const extension of EXTENSIONS) {
      const file = join(path, `plugin${extension}`);
      if ((await files.stat(file)) !== null) return file;
    }
  }
  if (entry.startsWith(".") || isAbsolute(entry)) {
    throw new AgnesError("plugin_load_failed", { file: path, reason: "the file does not exist" });
  }
  return fileOfPackage(directory, entry, files);
}

async function fileOfPackage(directory: string, name: string, files: Files): Promise<string> {
  const { resolve: locate } = createRequire(join(directory, "package.json"));
  try {
    return locate(name);
  } catch (cause) {
    const file = await importedFile(name, directory, files);
    if (file !== undefined) return file;
    throw new AgnesError(
      "plugin_load_failed",
      { file: name, reason: `it is neither an existing file nor a package installed in ${directory}` },
      { cause },
    );
  }
}

/** Returns the main file of an ESM-only package, which `require.resolve` of Node.js does not find. */
async function importedFile(name: string, directory: string, files: Files): Promise<string | undefined> {
  for (let folder = directory; ; folder = dirname(folder)) {
    const root = join(folder, "node_modules", name);
    const manifest = await files.read(join(root, "package.json"));
    if (manifest !== null) {
      const { exports } = JSON.parse(new TextDecoder().decode(manifest)) as { readonly exports?: unknown };
      const main = targetOf((exports as Readonly<Record<string, unknown>> | undefined)?.["."] ?? exports);
      return main === undefined ? undefined : join(root, main);
    }
    if (dirname(folder) === folder) return undefined;
  }
}

function targetOf(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return undefined;
  const { import: imported, default: fallback } = exports as Readonly<Record<string, unknown>>;
  return targetOf(imported ?? fallback);
}

import { dirname, join, normalize } from "node:path";

import { hasComputedImport, importsOf, type SourceFile } from "./source.ts";

/** The folders of `lib/`, lowest first. A folder imports only folders of lower layers, through their `mod.ts`. */
export const LAYERS: readonly (readonly string[])[] = [
  ["base"],
  ["kit"],
  ["duckdb", "catalog"],
  ["plugins", "tables", "workspace", "sql"],
  ["sources"],
  ["extract"],
  ["push", "analytics"],
  ["query", "metadata"],
  ["profile"],
  ["sync", "write-back", "pull"],
  ["serve"],
];

/** The folders inside a folder of `lib/`, lowest first. One imports only those before it, and no file beside them. */
const INNER_LAYERS: Readonly<Record<string, readonly string[]>> = {
  extract: ["format", "job", "schema", "state", "read", "write", "merge", "publish"],
};

/** Faces of folders inside folders, for those who need no more: the whole face of `lib/extract` loads the runtime. */
const INNER_FACES = new Set(["lib/extract/format/mod.ts"]);

/** The file behind `agnes/kit`, which `cmd` provides to the plugins of a workspace. */
const PUBLIC_KIT = "lib/kit/public.ts";

/** What a plugin may import of Agnes. */
const KIT = new Set(["agnes/kit", "agnes/catalog"]);

/** Plugins as authors write them, which import nothing else of Agnes either. */
const PLUGINS_OF_TESTS = "tests/testing/plugins";

/** The one file that imports what it does not know: the plugins of a workspace. */
const PLUGIN_LOADER = "lib/plugins/load.ts";

/** Every import that goes up, sideways, past a face, past the kit, or where no one can see, one sentence each. */
export function layerViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => [
    ...importsOf(file).flatMap((specifier) => {
      const reason = violation(file.path, specifier);
      return reason === undefined ? [] : [`${file.path} imports ${specifier}: ${reason}`];
    }),
    ...(/^(lib|plugins)[/]/.test(file.path) && file.path !== PLUGIN_LOADER && hasComputedImport(file)
      ? [`${file.path} imports a path that is not a literal: only ${PLUGIN_LOADER} may`]
      : []),
  ]);
}

/**
 * Circles of imports, one sentence each: of files, also by `import()`, and of folders beside each other, such as two
 * folders of `cmd/` or two folders inside `lib/duckdb/`.
 */
export function circleViolations(files: readonly SourceFile[]): readonly string[] {
  const [ofFiles, ofFolders] = [new Map<string, Set<string>>(), new Map<string, Set<string>>()];
  const add = (graph: Map<string, Set<string>>, from: string, to: string) =>
    graph.set(from, (graph.get(from) ?? new Set()).add(to));
  for (const file of files) {
    for (const specifier of importsOf(file).filter((one) => one.startsWith("."))) {
      const target = normalize(join(dirname(file.path), specifier));
      add(ofFiles, file.path, target);
      const [from, to] = foldersBeside(file.path, target);
      if (from !== undefined && to !== undefined) add(ofFolders, from, to);
    }
  }
  return [ofFiles, ofFolders].flatMap((graph) => {
    const circle = circleIn(graph);
    return circle === null ? [] : [`these import each other: ${circle.join(" → ")}`];
  });
}

/** The two folders, one beside the other, in which two files are; none for a file that lies beside the other's folder. */
function foldersBeside(path: string, target: string): readonly string[] {
  const [from, to] = [path.split("/"), target.split("/")];
  const depth = from.findIndex((part, at) => part !== to[at]) + 1;
  return depth > 0 && depth < from.length && depth < to.length
    ? [from.slice(0, depth).join("/"), to.slice(0, depth).join("/")]
    : [];
}

/** One circle of a graph, its first node again at the end; null if it has none. */
function circleIn(graph: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | null {
  const done = new Set<string>();
  const visit = (node: string, path: readonly string[]): readonly string[] | null => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return null;
    for (const next of graph.get(node) ?? []) {
      const circle = visit(next, [...path, node]);
      if (circle !== null) return circle;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const circle = visit(node, []);
    if (circle !== null) return circle;
  }
  return null;
}

/** Folders of `lib/` that the table in `ARCHITECTURE.md` puts on another layer than the code, or does not know. */
export function layerTableViolations(architecture: string, folders: readonly string[]): readonly string[] {
  return folders.flatMap((folder) => {
    const row = new RegExp(`^[|] +(\\d+|–) +[|] .lib/${folder}/.`, "m").exec(architecture);
    const number = row?.[1];
    const layer = layerOf(folder);
    return number === (layer === -1 ? "–" : String(layer))
      ? []
      : [`ARCHITECTURE.md puts lib/${folder}/ on layer ${number ?? "none"}`];
  });
}

function violation(path: string, specifier: string): string | undefined {
  const own = placeOf(path);
  if (own.kind === "other") return undefined;
  if (/^(node:)?module$/.test(specifier) && own.kind !== "cmd" && path !== PLUGIN_LOADER)
    return `only ${PLUGIN_LOADER} may load modules by path`;
  if (!specifier.startsWith(".")) {
    if (!specifier.startsWith("agnes")) return undefined;
    if (own.kind === "plugin") return KIT.has(specifier) ? undefined : "a plugin sees agnes/kit alone";
    return own.kind === "lib" ? "lib imports its own files by path" : undefined;
  }
  const target = normalize(join(dirname(path), specifier));
  const other = placeOf(target);
  if (own.kind === "plugin") {
    return other.kind === "plugin" && other.folder === own.folder
      ? undefined
      : "a plugin sees agnes/kit alone";
  }
  if (own.kind === "cmd" && other.kind === "plugin")
    return target === `plugins/${other.folder}/plugin.ts`
      ? undefined
      : "a plugin is entered by its plugin.ts";
  if (own.kind === "cmd" && other.kind === "cmd") return roomViolation(own, other);
  if (own.kind === "cmd") {
    return other.kind === "lib" && target !== PUBLIC_KIT ? faceViolation(target, other) : undefined;
  }
  if (other.kind !== "lib") return "lib imports only lib";
  if (own.folder === other.folder) return innerViolation(own.folder, path, target);
  return upViolation(own, other) ?? faceViolation(target, other);
}

interface Place {
  readonly kind: "lib" | "plugin" | "cmd" | "other";
  readonly folder: string;
}

function placeOf(path: string): Place {
  if (path.startsWith(`${PLUGINS_OF_TESTS}/`)) return { kind: "plugin", folder: PLUGINS_OF_TESTS };
  const [top, folder = "", rest] = path.split("/");
  const inside = rest === undefined ? "" : folder;
  if (top === "lib") return { kind: "lib", folder: inside };
  if (top === "plugins") return { kind: "plugin", folder: inside };
  return { kind: top === "cmd" ? "cmd" : "other", folder: inside };
}

function roomViolation(own: Place, other: Place): string | undefined {
  const isOutside = own.folder === "terminal" && other.folder !== "terminal";
  return isOutside ? "cmd/terminal prints, and knows no command" : undefined;
}

function upViolation(own: Place, other: Place): string | undefined {
  if (other.folder === "")
    return own.folder === "" ? undefined : "a layer does not import what is above all layers";
  if (own.folder === "" || own.folder === "testing") return undefined;
  if (other.folder === "testing") return "only tests and plugin authors import testing";
  const [from, to] = [layerOf(own.folder), layerOf(other.folder)];
  if (from === -1 || to === -1) return "the folder has no layer";
  return to < from ? undefined : "imports go down the layers only";
}

function innerViolation(folder: string, path: string, target: string): string | undefined {
  const layers = INNER_LAYERS[folder];
  if (layers === undefined) return undefined;
  const [from, to] = [innerFolder(path), innerFolder(target)];
  if (from === to || from === "") return undefined;
  if (to === "") return `a folder inside lib/${folder} does not import the files beside it`;
  const [fromLayer, toLayer] = [layers.indexOf(from), layers.indexOf(to)];
  if (fromLayer === -1 || toLayer === -1) return `the folder inside lib/${folder} has no layer`;
  return toLayer < fromLayer ? undefined : `the folders inside lib/${folder} import down their layers only`;
}

/** The folder inside a folder of `lib/` that a file is in; empty for a file beside them. */
function innerFolder(path: string): string {
  const [, , inner = "", rest] = path.split("/");
  return rest === undefined ? "" : inner;
}

function faceViolation(target: string, other: Place): string | undefined {
  return other.folder === "" || target === `lib/${other.folder}/mod.ts` || INNER_FACES.has(target)
    ? undefined
    : "a folder is entered through its mod.ts";
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}

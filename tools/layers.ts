import { dirname, join, normalize } from "node:path";

import { importsOf, type SourceFile } from "./source.ts";

/** The folders of `lib/`, lowest first. A folder imports only folders of lower layers, through their `mod.ts`. */
export const LAYERS: readonly (readonly string[])[] = [
  ["base"],
  ["kit"],
  ["duckdb", "catalog"],
  ["plugins", "tables", "workspace"],
  ["sources"],
  ["extract"],
  ["analytics"],
  ["query"],
  ["sync"],
  ["serve"],
];

/** What a plugin may import of Agnes. */
const KIT = new Set(["agnes/kit", "agnes/catalog"]);

/** Every import that goes up, sideways, past a face, or past the kit, one sentence each. */
export function layerViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const reason = violation(file.path, specifier);
      return reason === undefined ? [] : [`${file.path} imports ${specifier}: ${reason}`];
    }),
  );
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
  if (own.kind === "cmd") return other.kind === "lib" ? faceViolation(target, other) : undefined;
  if (other.kind !== "lib") return "lib imports only lib";
  if (own.folder === other.folder) return undefined;
  return upViolation(own, other) ?? faceViolation(target, other);
}

interface Place {
  readonly kind: "lib" | "plugin" | "cmd" | "other";
  readonly folder: string;
}

function placeOf(path: string): Place {
  const [top, folder = "", rest] = path.split("/");
  const inside = rest === undefined ? "" : folder;
  if (top === "lib") return { kind: "lib", folder: inside };
  if (top === "plugins") return { kind: "plugin", folder: inside };
  return { kind: top === "cmd" ? "cmd" : "other", folder: inside };
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

function faceViolation(target: string, other: Place): string | undefined {
  return other.folder === "" || target.endsWith(`lib/${other.folder}/mod.ts`)
    ? undefined
    : "a folder is entered through its mod.ts";
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}

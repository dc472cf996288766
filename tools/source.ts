import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { parseSync } from "oxc-parser";

/** The root of the repository. */
export const ROOT = join(import.meta.dirname, "..");

/** One file of the repository: its path from the root, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** The files git tracks, or would, that end in one of `endings`; below one of `folders` when given. */
export function sourceFiles(
  endings: readonly string[],
  folders: readonly string[] = [""],
): readonly SourceFile[] {
  return trackedPaths()
    .filter((path) => endings.some((ending) => path.endsWith(ending)))
    .filter((path) => folders.some((folder) => path.startsWith(folder)))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** The paths git tracks, or would, from the root. */
export function trackedPaths(): readonly string[] {
  const list = (...options: string[]) =>
    execFileSync("git", ["ls-files", "-z", ...options], { cwd: ROOT, encoding: "utf8" })
      .split("\0")
      .filter(Boolean);
  const deleted = new Set(list("--deleted"));
  return [...new Set([...list(), ...list("--others", "--exclude-standard")])]
    .filter((path) => !deleted.has(path))
    .sort();
}

/**
 * Everything a file imports: values, types, re-exports, `import()` as a value and in a type, and relative paths of code
 * that are passed to a call, such as `createRequire(…)("../a.ts")` and `new URL("../a.ts", import.meta.url)`.
 */
export function importsOf(file: SourceFile): readonly string[] {
  const { module, program } = parseSync(file.path, file.text);
  const specifiers = new Set<string>();
  for (const item of module.staticImports) specifiers.add(item.moduleRequest.value);
  for (const item of module.staticExports) {
    for (const entry of item.entries) if (entry.moduleRequest) specifiers.add(entry.moduleRequest.value);
  }
  walk(program, (node) => {
    if (node["type"] === "CallExpression" || node["type"] === "NewExpression") {
      const texts = (node["arguments"] as readonly SyntaxNode[]).flatMap(textOf);
      for (const text of texts) if (/^\.\.?\/.*\.[cm]?[jt]sx?$/.test(text)) specifiers.add(text);
    }
    if (node["type"] !== "ImportExpression" && node["type"] !== "TSImportType") return;
    const source = node["source"] as { readonly value?: unknown } | undefined;
    if (typeof source?.value === "string") specifiers.add(source.value);
  });
  return [...specifiers];
}

/** The text of a literal, or of a template without expressions; none for another node. */
function textOf(node: SyntaxNode): readonly string[] {
  const [first, ...others] = (node["quasis"] ?? []) as readonly { value: { cooked: string } }[];
  if (first !== undefined && others.length === 0) return [first.value.cooked];
  return typeof node["value"] === "string" ? [node["value"]] : [];
}

/** Whether a file has an `import()` whose path is not a literal. */
export function hasComputedImport(file: SourceFile): boolean {
  let isFound = false;
  walk(parseSync(file.path, file.text).program, (node) => {
    if (node["type"] !== "ImportExpression") return;
    const source = node["source"] as { readonly value?: unknown } | undefined;
    if (typeof source?.value !== "string") isFound = true;
  });
  return isFound;
}

/** A node of the syntax tree. */
export type SyntaxNode = Readonly<Record<string, unknown>>;

/** Calls `visit` with every node of a syntax tree, parents first. */
export function walk(node: unknown, visit: (node: SyntaxNode) => void): void {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit);
    return;
  }
  if (typeof node !== "object" || node === null) return;
  const object = node as SyntaxNode;
  if (typeof object["type"] === "string") visit(object);
  for (const value of Object.values(object)) walk(value, visit);
}

import { parseSync } from "oxc-parser";

import { extractTables } from "../lib/extract/format/mod.ts";
import { walk, type SourceFile, type SyntaxNode } from "./source.ts";

const names = Object.values(extractTables)
  .map(({ name }) => name)
  .join("|");

const NAME = new RegExp(names);

/** A text that is a name, or SQL that has one. Messages may name tables. */
const USE = new RegExp(`^(${names})$|\\b(FROM|JOIN|INTO|TABLE|UPDATE)\\s+(\\w+\\.)*(${names})\\b`);

/** A plugin imports nothing of `lib/`: it knows the extracts of other programs by their contract. */
const PROGRAMS = "plugins/program/extract.ts";

/** Names of tables of `extract.duckdb` in code outside `lib/extract/format`, which describes them. */
export function extractNameViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) => {
    if (path.startsWith("lib/extract/format/") || path === PROGRAMS || !NAME.test(text)) return [];
    const found: string[] = [];
    walk(parseSync(path, text).program, (node) => {
      const value = textOf(node);
      if (value !== null && USE.test(value)) found.push(`${path} names a table of extract.duckdb: ${value}`);
    });
    return found;
  });
}

function textOf(node: SyntaxNode): string | null {
  const value =
    node["type"] === "TemplateElement" ? (node["value"] as { readonly raw: string }).raw : node["value"];
  const isText = node["type"] === "Literal" || node["type"] === "TemplateElement";
  return isText && typeof value === "string" ? value : null;
}

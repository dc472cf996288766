import { dirname, join, normalize } from "node:path";

import type { PublicSymbol } from "./reference/modules.ts";
import type { SourceFile } from "./source.ts";

/** Links of Markdown pages whose target does not exist. */
export function brokenLinks(
  pages: readonly SourceFile[],
  exists: (path: string) => boolean,
): readonly string[] {
  return pages.flatMap(({ path, text }) =>
    [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^([a-z]+:|#)/.test(target))
      .filter((target) => !exists(normalize(join(dirname(path), target.split("#")[0]!))))
      .map((target) => `${path} links to ${target}, which does not exist`),
  );
}

/** Public symbols without a docstring, and functions and classes without an example. */
export function undocumented(symbols: readonly PublicSymbol[]): readonly string[] {
  return symbols.flatMap(({ name, kind, doc, path }) => {
    if (kind === "namespace") return [];
    if (doc === "") return [`${path}: ${name} has no docstring`];
    const needsExample = kind === "function" || kind === "class";
    return needsExample && !doc.includes("@example") ? [`${path}: ${name} has no example`] : [];
  });
}

function withoutCode(text: string): string {
  return text.replace(/```[\s\S]*?```/g, "").replace(/`[^`\n]*`/g, "");
}

import { parseSync } from "oxc-parser";

import { walk, type SourceFile, type SyntaxNode } from "./source.ts";

const NOUNS =
  "attempts|batches|bytes|cases|changes|characters|columns|digits|entries|errors|fields|files|generations|items|keys|" +
  "lines|names|objects|parameters|parts|queries|records|rows|seconds|sources|statements|strings|tables|times|tries|values|views";
/** A noun in the plural right after a value, with at most two words between. */
const PLURAL = new RegExp(`^ (?:(?!has|have|of|in|is|no|its|with)[a-z]+ ){0,2}?(?:${NOUNS})\\b(?!/)`);

/**
 * Texts in which a count is followed by a noun that is always in the plural, so that one would read `1 tables`.
 * Constants and greatest values (`…_MAX`, `…Max`) are more than one; a test for 1 around the text is seen.
 */
export function pluralViolations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap(({ path, text }) => {
    const found: string[] = [];
    const isDecided = new Set<unknown>();
    walk(parseSync(path, text).program, (node) => {
      if (node["type"] === "ConditionalExpression" && comparesWithOne(node["test"] as SyntaxNode, text)) {
        walk([node["consequent"], node["alternate"]], (inner) => isDecided.add(inner["start"]));
      }
      if (node["type"] !== "TemplateLiteral" || isDecided.has(node["start"])) return;
      const quasis = node["quasis"] as readonly { readonly value: { readonly cooked: string } }[];
      for (const [index, expression] of (node["expressions"] as readonly SyntaxNode[]).entries()) {
        const count = text.slice(Number(expression["start"]), Number(expression["end"]));
        const literal = quasis[index + 1]!.value.cooked;
        if (PLURAL.test(literal) && isCount(count))
          found.push(`${path}: \${${count}}${literal.split("\n")[0]}`);
      }
    });
    return found;
  });
}

function comparesWithOne(test: SyntaxNode, text: string): boolean {
  return /[!=]== 1\b|> [1-9]/.test(text.slice(Number(test["start"]), Number(test["end"])));
}

/** Whether an expression may be a count of one: no constant, no greatest value, no text. */
function isCount(expression: string): boolean {
  return !/^[A-Z_]+$|(?:Max|_MAX)$|^max[A-Z]|^["'`]|shown\(|JSON\.stringify|join\(|[Nn]ame|path|Text\(/.test(
    expression,
  );
}

import { parseSync } from "oxc-parser";

import { walk, type SourceFile, type SyntaxNode } from "./source.ts";

/** A command line of Agnes in a text, and its place. */
export interface CommandLine {
  readonly place: string;
  /** The command line, from `agnes` to its end. */
  readonly text: string;
  /** Whether it is a complete line of a script or an example, not a mention in a sentence. */
  readonly isTyped: boolean;
}

/** Replaces a value that is known only at run time. */
const VALUE = "VALUE";

/** The command lines in Markdown: in backticks, and the lines of shell scripts. */
export function linesInPage({ path, text }: SourceFile): readonly CommandLine[] {
  const scripts = [...text.matchAll(/^[ ]*```sh\n([\s\S]*?)^[ ]*```/gm)].map(([, script]) => script!);
  return [
    ...scripts.flatMap((script) => script.replaceAll("\\\n", " ").split("\n").flatMap(typedIn)),
    ...mentionsIn(text.replace(/```[\s\S]*?```/g, "")),
  ].map((line) => ({ place: path, ...line }));
}

/** The command lines in TypeScript: in the backticks of texts and comments, in examples, and in calls of `typed`. */
export function linesInCode({ path, text }: SourceFile): readonly CommandLine[] {
  const { program, comments } = parseSync(path, text);
  const lines = comments.flatMap(({ value }) => mentionsIn(value.replace(/^\s*\* ?/gm, "")));
  walk(program, (node) => {
    if (node["type"] === "CallExpression" && (node["callee"] as SyntaxNode)["name"] === "typed") {
      const words = textOf((node["arguments"] as readonly SyntaxNode[])[0]);
      if (words !== undefined) lines.push({ text: `agnes ${words}`, isTyped: true });
    }
    const content = textOf(node);
    if (content === undefined) return;
    lines.push(...mentionsIn(content));
    const next = /^(?:Next: )?(agnes .*)$/.exec(content)?.[1];
    if (path.startsWith("cmd/") && next !== undefined) lines.push({ text: next, isTyped: false });
  });
  walk(program, (node) => {
    const isExamples = node["type"] === "Property" && (node["key"] as SyntaxNode)["name"] === "examples";
    const elements = isExamples ? (node["value"] as SyntaxNode)["elements"] : undefined;
    for (const element of (elements ?? []) as readonly SyntaxNode[]) {
      lines.push(...typedIn(textOf(element) ?? ""));
    }
  });
  return lines.map((line) => ({ place: path, ...line }));
}

/** The arguments of a command line, split as a shell does, up to a comment, a pipe or a redirection. */
export function shellWords(line: string): readonly string[] {
  const words: string[] = [];
  const pattern = /\s*((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+)/gy;
  for (const [, word] of line.matchAll(pattern)) {
    if (/^([#<>|;&)]|[0-9]>)/.test(word!)) break;
    const end = /^((?:'[^']*'|"(?:\\.|[^"\\])*"|[^'");])*)[;)]/.exec(word!)?.[1];
    words.push((end ?? word!).replace(/'([^']*)'|"((?:\\.|[^"\\])*)"/g, "$1$2"));
    if (end !== undefined) break;
  }
  return words;
}

/** The npm scripts that a text offers, such as `demo` of `npm run demo`. */
export function scriptsIn(text: string): readonly string[] {
  return [...text.matchAll(/\b(?:npm|bun) run (?:-\S+ )*([a-z][\w:]*)/g)].map(([, name]) => name!);
}

/** The options that a text mentions, such as `--full`; those of npm scripts are not ours. */
export function optionsIn(text: string): readonly string[] {
  const own = text.replace(/`(npm|bun) [^`]*`/g, "").replace(/^ *(npm|bun) .*$/gm, "");
  return own.match(/(?<![\w-])--[a-z][a-z-]*(?![\w-])/g) ?? [];
}

type Line = Omit<CommandLine, "place">;

function mentionsIn(text: string): Line[] {
  return [...text.matchAll(/`(agnes [^`]*)`/g)].map(([, line]) => ({
    text: line!.replace(/\s+/g, " "),
    isTyped: false,
  }));
}

function typedIn(line: string): Line[] {
  const found = /^\s*(?:.*[(|&;] ?)?(agnes\s.*)$/.exec(line);
  return found === null ? [] : [{ text: found[1]!, isTyped: true }];
}

/** The text of a literal, with `VALUE` for what is computed. */
function textOf(node: SyntaxNode | undefined): string | undefined {
  if (node?.["type"] === "Literal" && typeof node["value"] === "string") return node["value"];
  if (node?.["type"] !== "TemplateLiteral") return undefined;
  const quasis = node["quasis"] as readonly { readonly value: { readonly cooked: string } }[];
  return quasis.map(({ value }) => value.cooked).join(VALUE);
}

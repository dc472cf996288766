import type { ArgDef, ArgsDef } from "citty";

import { resolved, type AnyCommand } from "./command.ts";
import { globalArgs } from "./global-args.ts";
import { styleFor, type Style } from "../terminal/style.ts";
import { wrap, wrapWords } from "../terminal/wrap.ts";

const DEFAULT_WIDTH = 80;
/** Help is not wrapped to less, because its descriptions would become columns of single words. */
const WIDTH_MIN = 60;
/** The description of a longer name begins on the next line. */
const NAME_WIDTH_MAX = 28;

/** How help is laid out. */
interface Layout {
  readonly style: Style;
  readonly width: number;
}

/** The help of a command, wrapped to the width of the terminal, or to 80 columns without one. */
export async function renderUsage(
  command: AnyCommand,
  name: string,
  columns: number = process.stdout.columns ?? DEFAULT_WIDTH,
): Promise<string> {
  const style = styleFor(process.stdout, !process.argv.includes("--no-color"));
  const width = Math.max(WIDTH_MIN, columns);
  const layout = { style, width };
  const meta = await resolved(command.meta);
  const subCommands = await resolved(command.subCommands);
  const args: ArgsDef = { ...(await resolved(command.args)) };
  const own = Object.entries(args).filter(([arg]) => !Object.hasOwn(globalArgs, arg));
  const positionals = own.filter(([, arg]) => arg.type === "positional");
  const options = own.filter(([, arg]) => arg.type !== "positional");
  const { examples = [] } = (await command.load?.()) ?? command;
  return [
    ...titled(`${name} ·`, meta?.description ?? "", { ...layout, title: name }),
    "",
    ...titled("Usage:", usageLine(name, positionals, subCommands !== undefined), layout),
    ...section(
      layout,
      "Commands",
      await Promise.all(
        Object.entries(subCommands ?? {}).map(async ([subName, sub]): Promise<Line> => {
          const subMeta = await resolved(((await resolved(sub)) as AnyCommand).meta);
          return [subName, subMeta?.description ?? ""];
        }),
      ),
    ),
    ...section(layout, "Arguments", positionals.map(positionalLine)),
    ...section(layout, "Options", options.flatMap(optionLines)),
    ...section(layout, "Global options", [
      ...Object.entries<ArgDef>(globalArgs).flatMap(optionLines),
      ["-h, --help", "Show this help"],
      ...(name === "agnes" ? [["-v, --version", "Show the version"] as Line] : []),
    ]),
    ...exampleLines(layout, examples),
    "",
  ].join("\n");
}

type Line = readonly [left: string, right: string];
type NamedArg = readonly [name: string, arg: ArgDef];

function usageLine(name: string, positionals: readonly NamedArg[], isGroup: boolean): string {
  const operands = positionals.map(([arg, definition]) =>
    isOptional(definition) ? `[${placeholder(arg, definition)}]` : placeholder(arg, definition),
  );
  return [name, ...(isGroup ? ["COMMAND"] : operands), "[options]"].join(" ");
}

function positionalLine([name, arg]: NamedArg): Line {
  return [placeholder(name, arg), described(arg)];
}

function placeholder(name: string, arg: ArgDef): string {
  return arg.valueHint ?? name.toUpperCase();
}

function isOptional(arg: ArgDef): boolean {
  return arg.required === false || arg.default !== undefined;
}

function optionLines([name, arg]: NamedArg): readonly Line[] {
  const aliases = "alias" in arg ? [arg.alias ?? []].flat().map((alias) => `-${alias}, `) : [];
  if (arg.type === "boolean" && arg.default === true) {
    return [[`--no-${name}`, arg.negativeDescription ?? described(arg)]];
  }
  const value =
    arg.type === "enum"
      ? ` ${(arg.options ?? []).join("|")}`
      : arg.type === "boolean"
        ? ""
        : ` ${arg.valueHint ?? name.toUpperCase()}`;
  return [[`${aliases.join("")}--${name}${value}`, described(arg)]];
}

function described(arg: ArgDef): string {
  const text = arg.description ?? "";
  return arg.default === undefined || arg.type === "boolean" ? text : `${text} (default: ${arg.default})`;
}

/** A text after its title, with further lines below. */
function titled(
  start: string,
  text: string,
  { style, width, title = start }: Layout & { readonly title?: string },
): readonly string[] {
  const [first = "", ...rest] = wrap(`${start} ${text}`, width);
  return [first.replace(title, () => style("bold", title)), ...rest];
}

function section({ style, width }: Layout, title: string, lines: readonly Line[]): readonly string[] {
  if (lines.length === 0) return [];
  const nameWidth = Math.min(NAME_WIDTH_MAX, Math.max(...lines.map(([left]) => left.length)));
  const indent = " ".repeat(nameWidth + 4);
  return [
    "",
    style("bold", `${title}:`),
    ...lines.flatMap(([left, right]) => {
      const [first = "", ...rest] = wrap(right, width - indent.length);
      const name = `  ${style("cyan", left)}`;
      const start =
        left.length <= nameWidth
          ? [`${name}${" ".repeat(nameWidth - left.length)}  ${first}`.trimEnd()]
          : [name, indent + first];
      return [...start, ...rest.map((line) => indent + line)];
    }),
  ];
}

/** Examples as they are typed: a long one continues on the next line after a backslash. */
function exampleLines({ style, width }: Layout, examples: readonly string[]): readonly string[] {
  if (examples.length === 0) return [];
  return [
    "",
    style("bold", "Examples:"),
    ...examples.flatMap((example) => {
      const words = example.match(WORD) ?? [example];
      const lines = example.length + 2 <= width ? [example] : wrapWords(words, width - CONTINUED.length - 4);
      return lines.map((line, at) => {
        const end = at < lines.length - 1 ? " \\" : "";
        return (at === 0 ? "  " : CONTINUED) + style("cyan", line) + end;
      });
    }),
  ];
}

const CONTINUED = " ".repeat(6);
/** A word of a shell, which may have quoted parts, and the spaces after it. An option stays with its value. */
const WORD = /(?:--?[a-z][a-z-]* (?!-))?(?:"[^"]*"|'[^']*'|[^ "'])+ */g;

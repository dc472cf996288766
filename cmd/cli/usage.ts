import type { ArgDef, ArgsDef } from "citty";

import { resolved, type AnyCommand } from "./command.ts";
import { globalArgs } from "./global-args.ts";
import { styleFor, type Style } from "../terminal/style.ts";

/** The help of a command. */
export async function renderUsage(command: AnyCommand, name: string): Promise<string> {
  const style = styleFor(process.stdout, !process.argv.includes("--no-color"));
  const meta = await resolved(command.meta);
  const subCommands = await resolved(command.subCommands);
  const args: ArgsDef = { ...(await resolved(command.args)) };
  const own = Object.entries(args).filter(([arg]) => !Object.hasOwn(globalArgs, arg));
  const positionals = own.filter(([, arg]) => arg.type === "positional");
  const options = own.filter(([, arg]) => arg.type !== "positional");
  const { examples = [] } = (await command.load?.()) ?? command;
  return [
    `${style("bold", name)} · ${meta?.description ?? ""}`,
    "",
    `${style("bold", "Usage:")} ${usageLine(name, positionals, subCommands !== undefined)}`,
    ...section(
      style,
      "Commands",
      await Promise.all(
        Object.entries(subCommands ?? {}).map(async ([subName, sub]): Promise<Line> => {
          const subMeta = await resolved(((await resolved(sub)) as AnyCommand).meta);
          return [subName, subMeta?.description ?? ""];
        }),
      ),
    ),
    ...section(style, "Arguments", positionals.map(positionalLine)),
    ...section(style, "Options", options.flatMap(optionLines)),
    ...section(style, "Global options", [
      ...Object.entries<ArgDef>(globalArgs).flatMap(optionLines),
      ["-h, --help", "Show this help"],
      ...(name === "agnes" ? [["-v, --version", "Show the version"] as Line] : []),
    ]),
    ...section(
      style,
      "Examples",
      examples.map((example): Line => [example, ""]),
    ),
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

function section(style: Style, title: string, lines: readonly Line[]): readonly string[] {
  if (lines.length === 0) return [];
  const width = Math.min(32, Math.max(...lines.map(([left]) => left.length)));
  return [
    "",
    style("bold", `${title}:`),
    ...lines.map(([left, right]) =>
      right === "" || left.length <= width
        ? `  ${style("cyan", left)}${" ".repeat(Math.max(0, width - left.length))}  ${right}`.trimEnd()
        : `  ${style("cyan", left)}\n  ${" ".repeat(width)}  ${right}`,
    ),
  ];
}

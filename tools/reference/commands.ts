import type { ArgsDef, CommandDef } from "citty";

import { exitStatuses } from "../../cmd/cli/exit-status.ts";
import { globalArgs } from "../../cmd/cli/global-args.ts";
import { mainCommand } from "../../cmd/main-command.ts";
import { markdownTable, page } from "./markdown.ts";

/** `docs/reference/commands.md`. */
export async function commandsPage(): Promise<string> {
  return page(
    "Commands",
    "`agnes COMMAND --help` prints the same. Data goes to stdout, messages to stderr.",
    exitStatusTable(),
    "Every command takes:",
    argumentTable(globalArgs),
    ...(await sections(mainCommand, [])),
  );
}

/** The exit statuses, for the reference and the guide. */
function exitStatusTable(): string {
  return markdownTable(["exit status", "meaning"], Object.entries(exitStatuses));
}

async function sections(command: CommandDef, path: readonly string[]): Promise<readonly string[]> {
  const meta = await resolved(command.meta);
  const name = [...path, meta?.name ?? ""].filter(Boolean);
  const args = ((await resolved(command.args)) ?? {}) as ArgsDef;
  const own = Object.fromEntries(Object.entries(args).filter(([key]) => !(key in globalArgs)));
  const children = Object.values((await resolved(command.subCommands)) ?? {});
  const nested = await Promise.all(children.map(async (child) => sections((await resolved(child))!, name)));
  return [
    `${"#".repeat(Math.min(name.length + 1, 4))} \`${name.join(" ")}\``,
    meta?.description ?? "",
    Object.keys(own).length === 0 ? "" : argumentTable(own),
    ...nested.flat(),
  ].filter(Boolean);
}

function argumentTable(args: ArgsDef): string {
  const rows = Object.entries(args).map(([key, arg]) => [
    arg.type === "positional" ? `\`${arg.valueHint ?? key.toUpperCase()}\`` : flagNames(key, arg),
    "options" in arg && Array.isArray(arg.options) ? arg.options.join(", ") : (arg.type ?? "string"),
    arg.default === undefined ? (arg.required === true ? "required" : "") : `\`${String(arg.default)}\``,
    arg.description ?? "",
  ]);
  return markdownTable(["argument", "type", "default", "description"], rows);
}

/** An option as it is typed, with its short form. */
function flagNames(key: string, arg: ArgsDef[string]): string {
  const short = "alias" in arg ? [arg.alias ?? []].flat() : [];
  return [`--${kebab(key)}`, ...short.map((letter) => `-${letter}`)].map((flag) => `\`${flag}\``).join(", ");
}

async function resolved<T>(
  value: T | (() => T | Promise<T>) | Promise<T> | undefined,
): Promise<T | undefined> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

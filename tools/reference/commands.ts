import type { ArgsDef, CommandDef } from "citty";

import { mainCommand } from "../../cmd/main-command.ts";
import { markdownTable, page } from "./markdown.ts";

/** `docs/reference/commands.md`. */
export async function commandsPage(): Promise<string> {
  return page("Commands", "`agnes COMMAND --help` says the same.", ...(await sections(mainCommand, [])));
}

async function sections(command: CommandDef, path: readonly string[]): Promise<readonly string[]> {
  const meta = await resolved(command.meta);
  const name = [...path, meta?.name ?? ""].filter(Boolean);
  const args = Object.entries(((await resolved(command.args)) ?? {}) as ArgsDef);
  const children = Object.values((await resolved(command.subCommands)) ?? {});
  const nested = await Promise.all(children.map(async (child) => sections((await resolved(child))!, name)));
  const rows = args.map(([key, arg]) => [
    arg.type === "positional" ? `\`${key.toUpperCase()}\`` : `\`--${kebab(key)}\``,
    "options" in arg && Array.isArray(arg.options) ? arg.options.join(", ") : (arg.type ?? "string"),
    arg.default === undefined ? (arg.required === true ? "required" : "") : `\`${String(arg.default)}\``,
    arg.description ?? "",
  ]);
  return [
    `${"#".repeat(Math.min(name.length + 1, 4))} \`${name.join(" ")}\``,
    meta?.description ?? "",
    ...(rows.length === 0 ? [] : [markdownTable(["argument", "type", "default", "what it is"], rows)]),
    ...nested.flat(),
  ].filter(Boolean);
}

async function resolved<T>(
  value: T | (() => T | Promise<T>) | Promise<T> | undefined,
): Promise<T | undefined> {
  return typeof value === "function" ? (value as () => T | Promise<T>)() : value;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

import type { ArgDef } from "citty";

import { createHost } from "../../lib/base/mod.ts";
import { fileStorage } from "../../lib/catalog/mod.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";
import { dataPaths, openWorkspace } from "../../lib/workspace/mod.ts";
import { bundledPlugins } from "../plugins.ts";

/** The names of a workspace that are possible values of arguments; empty without a workspace. */
export interface WorkspaceNames {
  readonly sources: readonly string[];
  /** View names and ids of the registered tables. */
  readonly tables: readonly string[];
  readonly buckets: readonly string[];
  readonly plugins: readonly string[];
}

/** Reads the names of a workspace. Never fails: unreadable parts are empty. */
export async function workspaceNames(folder: string | undefined): Promise<WorkspaceNames> {
  const host = createHost();
  const plugins = (await bundledPlugins()).map(({ name }) => name);
  const none = { sources: [], tables: [], buckets: [], plugins };
  const workspace = await openWorkspace(host, folder === undefined ? {} : { exact: folder }).catch(
    () => null,
  );
  if (workspace === null) return none;
  const sources = Object.keys(workspace.config.sources);
  const directory = dataPaths.state(workspace.dataDirectory);
  // Opening a registry would create its folder.
  if ((await host.files.stat(directory)) === null) return { ...none, sources };
  try {
    await using registry = await openTableRegistry({ storage: fileStorage({ directory, host }), host });
    const tables = await registry.list();
    const buckets = [...new Set(tables.flatMap(({ bucket }) => bucket ?? []))];
    const named = [...tables.map((table) => table.viewName), ...tables.map(({ id }) => id)];
    return { ...none, sources, tables: named, buckets };
  } catch {
    return { ...none, sources };
  }
}

/**
 * The known values of an argument of a command.
 *
 * @param known.typed the part of the value before the cursor
 */
export function argumentValues(
  command: string,
  arg: ArgDef,
  { names, typed }: { readonly names: WorkspaceNames; readonly typed: string },
): readonly string[] {
  if (arg.type === "enum") return arg.options ?? [];
  const hint = arg.valueHint ?? "";
  // The source's own names of its tables are not known here.
  if (hint === "TABLE" || hint === "TABLE …") return command === "agnes table register" ? [] : names.tables;
  // The name of something new.
  if (hint === "NAME" && ["agnes connector new", "agnes token create"].includes(command)) return [];
  if (hint === "NAME") return [...names.plugins, ...names.sources];
  if (hint === "SOURCE|NAME") return [...names.sources, ...names.plugins];
  if (hint.startsWith("SOURCE|SOURCE.TABLE|VIEW")) return [...names.sources, ...names.tables];
  if (hint.startsWith("SOURCE")) return names.sources;
  if (hint === "BUCKET") return names.buckets;
  if (/^[a-z_]+(,[a-z_]+)+$/.test(hint)) return listValues(hint.split(","), typed);
  return /^[a-z_]+(\|[a-z_]+)+$/.test(hint) ? hint.split("|") : [];
}

/** Appends each remaining value to the values already typed in a list. */
function listValues(values: readonly string[], typed: string): readonly string[] {
  const list = typed.slice(typed.indexOf("=") + 1);
  const before = list.split(",").slice(0, -1);
  return values.filter((value) => !before.includes(value)).map((value) => [...before, value].join(","));
}

import type { Agnes } from "../../lib/agnes.ts";
import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { keysInUse } from "../../lib/extract/mod.ts";
import { sourceWarnings } from "../../lib/sync/mod.ts";
import {
  folderOf,
  registerCommand,
  type RegisteredTable,
  type RegistrationPlan,
  type TableRegistry,
  type TableWrite,
} from "../../lib/tables/mod.ts";
import { copyAdvice, readCopyState } from "../../lib/workspace/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { knownSource } from "./known-source.ts";
import type { CheckedWrite, CommandRegistry, Discovery } from "./registry.ts";

/** Opens the registry of the workspace of a command. */
export async function openWorkspaceRegistry(cli: Cli): Promise<CommandRegistry> {
  const agnes = await openAgnes(cli);
  try {
    return registryOf(cli, agnes, await agnes.tables());
  } catch (error) {
    await agnes.close();
    throw error;
  }
}

function registryOf(cli: Cli, agnes: Agnes, registry: TableRegistry): CommandRegistry {
  const host = createHost();
  const keysOf = (tables: readonly RegisteredTable[]) =>
    keysInUse(host.files, agnes.workspace.dataDirectory, tables);
  const checked = (write: TableWrite, isSourceChecked: boolean): CheckedWrite => ({
    ...write,
    warnings: async () => (isSourceChecked ? sourceWarnings(host, agnes, write.table, cli.signal) : []),
  });
  return {
    advice: (text) => copyAdvice(text, agnes.workspace.config),
    async list(filter) {
      // Read first: with a later version, `--expect-version` would miss changes that are not in the list.
      const version = await registry.version();
      const tables = await registry.list(filter);
      return { version, tables, keys: () => keysOf(tables) };
    },
    find: (reference) => registry.find(reference),
    async show(reference) {
      const table = await registry.find(reference);
      const sync = (await agnes.syncStatus({ access: new Set([table.id]) }))[0];
      const published = (await agnes.catalog()).find(({ id }) => id === table.id);
      return {
        table,
        isPublished: published !== undefined,
        folder: folderOf(table, await registry.folders()),
        key: (await keysOf([table])).get(table.id)!,
        extractedAt: published?.extractedAt ?? null,
        checkedAt: published?.checkedAt ?? null,
        status: sync?.status ?? null,
        syncError: sync?.error ?? null,
        dueAt: sync?.dueAt?.toISOString() ?? null,
      };
    },
    async register(change, { isSourceChecked, ...options }) {
      knownSource(agnes.workspace, change.source);
      return checked(await registry.register(change, options), isSourceChecked);
    },
    async update({ id }, change, { isSourceChecked, ...options }) {
      const write = checked(await registry.update(id, change, options), isSourceChecked);
      if (change.syncSchedule == null) return write;
      const { dataDirectory } = agnes.workspace;
      const isCopied = (await readCopyState(host, dataDirectory))?.sources.includes(write.table.source);
      if (isCopied !== true) return write;
      const warning = "the schedule has no effect: the table is a copy, which `agnes pull` updates";
      return { ...write, warnings: async () => [...(await write.warnings()), warning] };
    },
    unregister: ({ id }, options) => registry.unregister(id, options),
    async history({ limit, table }) {
      // An unregistered table has only its id.
      const idOf = async (name: string) => (name.includes(".") ? name : (await registry.find(name)).id);
      const only = table === undefined ? {} : { id: await idOf(table) };
      return registry.history({ first: "newest", limit, ...only });
    },
    folders: async () => ({ version: await registry.version(), folders: await registry.folders() }),
    setFolder: (bucket, folder, options) => registry.setFolder(bucket, folder, options),
    discover: (sources, options) => discover(cli, { agnes, registry }, sources, options),
    plugins: async () => agnes.plugins.list(),
    [Symbol.asyncDispose]: () => agnes.close(),
  };
}

async function discover(
  cli: Cli,
  { agnes, registry }: { readonly agnes: Agnes; readonly registry: TableRegistry },
  sources: readonly string[],
  options: { readonly dryRun: boolean; readonly again: boolean },
): Promise<Discovery> {
  const { config } = agnes.workspace;
  const wanted = [...new Set(sources.length > 0 ? sources : Object.keys(config.sources))];
  for (const name of wanted) knownSource(agnes.workspace, name);
  const skipped = sources.length > 0 ? [] : wanted.filter((name) => cannotList(agnes, name));
  const names = wanted.filter((name) => !skipped.includes(name));
  const plans: RegistrationPlan[] = [];
  const failures: Discovery["failures"][number][] = [];
  const capabilitiesOf = (source: string) => agnes.plugins.get(config.sources[source]!.plugin).capabilities;
  for (const source of names) {
    try {
      const discovered = await agnes.connectors.discover(source, { signal: cli.signal });
      const capabilities = capabilitiesOf(source);
      plans.push(await registry.registerDiscovered(source, discovered, { ...options, capabilities }));
    } catch (error) {
      // The tables of the other sources are still registered and reported.
      if (!isAgnesError(error) || cli.signal.aborted || names.length === 1) throw error;
      failures.push({ source, error });
    }
  }
  const registers = skipped.map((source) => ({
    source,
    register: registerCommand(source, capabilitiesOf(source)),
  }));
  return { plans, failures, skipped: registers };
}

/** Whether the tables of a source are registered by hand, because its plugin has no `discover`. */
function cannotList(agnes: Agnes, source: string): boolean {
  const { plugin } = knownSource(agnes.workspace, source);
  const loaded = agnes.plugins.list().find(({ name }) => name === plugin);
  return loaded !== undefined && !loaded.capabilities.includes("discover");
}

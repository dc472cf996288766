import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { readRebuildReport, type RemoteTable } from "../../lib/analytics/mod.ts";
import { createHost, isAgnesError, silentLog } from "../../lib/base/mod.ts";
import { fileStorage } from "../../lib/catalog/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { SyncState } from "../../lib/sync/mod.ts";
import { registerCommand } from "../../lib/tables/mod.ts";
import {
  checkAgainst,
  CONFIG_FILE,
  dataPaths,
  placedError,
  type SourceConfig,
} from "../../lib/workspace/mod.ts";
import { plural } from "../terminal/figures.ts";
import { conflictRemedy, conflictText, publishRemedy } from "../sync/remedies.ts";
import { attempt, failed, ok, warning, type Check } from "./check.ts";
import { publishedText } from "./machine.ts";

/**
 * Checks a workspace. Sources are not read, but those of remote tables are attached.
 *
 * @param installExtensions whether missing DuckDB extensions are downloaded
 */
export async function workspaceChecks(agnes: Agnes, installExtensions: boolean): Promise<readonly Check[]> {
  const { directory, dataDirectory, config } = agnes.workspace;
  const sources = Object.entries(config.sources);
  const failures = agnes.plugins.failures();
  const checks: readonly (readonly Check[])[] = [
    [ok("workspace", `${join(directory, CONFIG_FILE)}, ${plural(sources.length, "source")}`)],
    failures.map(({ file, error }) => failed(`plugin ${file}`, error)),
    [
      ok(
        "plugins",
        agnes.plugins
          .list()
          .map(({ name }) => name)
          .join(", "),
      ),
    ],
    await attempt("registry", () => registryChecks(agnes)),
    await attempt("sync state", () => syncStateChecks(dataDirectory)),
    ...(await Promise.all(
      sources.map(([name, source]) =>
        attempt(`source ${name}`, async () => sourceChecks(agnes, name, source, dataDirectory)),
      ),
    )),
    // Runs before the report is read, because installing an extension writes a new report.
    await attempt("remote tables", async () =>
      (await agnes.remoteTables({ installExtensions })).map(remoteCheck),
    ),
    await attempt("analytics", () => analyticsChecks(dataDirectory, new Set(Object.keys(config.sources)))),
  ];
  return checks.flat();
}

/** Reads the registry's whole log to detect any damage. */
async function registryChecks(agnes: Agnes): Promise<readonly Check[]> {
  if (!(await hasCatalog(agnes.workspace.dataDirectory, "tables"))) return [];
  const registry = await agnes.tables();
  let changes = 0;
  for await (const _change of registry.changes()) changes += 1;
  const tables = await registry.list();
  return [ok("registry", `${plural(tables.length, "table")}, ${plural(changes, "change")}`)];
}

/** Reads the log of sync runs, which keeps the newest entries. */
async function syncStateChecks(dataDirectory: string): Promise<readonly Check[]> {
  if (!(await hasCatalog(dataDirectory, "sync"))) return [];
  const host = createHost();
  const storage = fileStorage({ directory: dataPaths.state(dataDirectory), host });
  await using state = await SyncState.open({ storage, host, log: silentLog });
  return [ok("sync state", `${plural(await state.verify(), "run")} in its log`)];
}

async function hasCatalog(dataDirectory: string, name: string): Promise<boolean> {
  return (await createHost().files.stat(join(dataPaths.state(dataDirectory), name))) !== null;
}

async function sourceChecks(
  agnes: Agnes,
  name: string,
  source: SourceConfig,
  dataDirectory: string,
): Promise<readonly Check[]> {
  const plugin = checkedPlugin(agnes, name, source);
  const secrets = Object.entries(plugin.secrets).map(([secret, spec]): Check => {
    const variable = source.secrets[secret] ?? secret;
    const isSet = (process.env[variable] ?? "") !== "";
    if (isSet) return ok(`secret ${variable}`, `set, for source ${name}`);
    const message = `not set, for source ${name}: ${spec.description}`;
    return spec.required === true
      ? {
          name: `secret ${variable}`,
          state: "failed",
          message,
          hint: `Set the environment variable ${variable}.`,
        }
      : ok(`secret ${variable}`, `${message}; it is not required`);
  });
  const first = await firstStep(agnes, name, source, plugin);
  return [...secrets, await extractCheck(name, dataPaths.extract(dataDirectory, name), first)];
}

/** The commands that publish the first table of a source. */
async function firstStep(
  agnes: Agnes,
  name: string,
  { register }: SourceConfig,
  plugin: ReturnType<Agnes["plugins"]["get"]>,
): Promise<string> {
  const sync = `Run \`agnes sync ${name}\`.`;
  const isCatalogued = await hasCatalog(agnes.workspace.dataDirectory, "tables");
  if (isCatalogued && (await (await agnes.tables()).list({ source: name })).length > 0) return sync;
  const registering = registerCommand(name, plugin.capabilities);
  if (registering === null)
    return "Its plugin can neither read nor query tables, so there is nothing to sync.";
  if (!plugin.capabilities.includes("discover")) {
    return `Its plugin cannot list its tables: run \`${registering}\`, then \`agnes sync ${name}\`.`;
  }
  if ((register ?? plugin.register ?? "all") === "all") return sync;
  return `None of its tables is registered: \`agnes connector discover ${name}\` lists them; run \`${registering}\`, then \`agnes sync ${name}\`.`;
}

function remoteCheck({ id, accessMode, extension, reason, remedy }: RemoteTable): Check {
  const name = `remote table ${id}`;
  if (accessMode === "attach") {
    const by = extension === "duckdb" ? "as a DuckDB file" : `by the DuckDB extension ${extension}`;
    return ok(name, `attached ${by}`);
  }
  const why = reason === null ? "" : `; not attached: ${reason}`;
  if (accessMode === "live") return ok(name, `live, through its connector${why}`);
  const hint = remedy === null ? {} : { hint: remedy };
  return { name, state: "failed", message: `cannot be queried: ${reason}`, ...hint };
}

function checkedPlugin(
  agnes: Agnes,
  name: string,
  source: SourceConfig,
): ReturnType<Agnes["plugins"]["get"]> {
  try {
    const plugin = agnes.plugins.get(source.plugin);
    checkAgainst(plugin.options, source.options, `sources.${name}.options`);
    return plugin;
  } catch (error) {
    const { placeOf } = agnes.workspace;
    throw placeOf === undefined ? error : placedError(error, name, placeOf);
  }
}

async function extractCheck(name: string, directory: string, firstStep: string): Promise<Check> {
  try {
    const extract = await readExtract(createHost().files, directory);
    return extract === null
      ? warning(`source ${name}`, "nothing published yet", firstStep)
      : ok(`source ${name}`, publishedText(extract.tables.length, extract.generation.number));
  } catch (error) {
    if (isAgnesError(error, "extract_foreign")) return ok(`source ${name}`, "published by another program");
    throw error;
  }
}

async function analyticsChecks(
  dataDirectory: string,
  sources: ReadonlySet<string>,
): Promise<readonly Check[]> {
  const report = await readRebuildReport(createHost(), dataDirectory);
  if (report === null) return [warning("analytics", "nothing published yet", "Run `agnes sync`.")];
  const problems = [
    ...report.errors.map(({ name, reason }) => {
      const [source = name] = name.split(".");
      const what = source === name ? `source ${name}` : `table ${name}`;
      return warning(what, reason, publishRemedy(source, sources));
    }),
    ...report.conflicts.map((conflict) =>
      warning(`table ${conflict.loser}`, conflictText(conflict), conflictRemedy(conflict)),
    ),
  ];
  return [ok("analytics", publishedText(report.published.length, report.generation)), ...problems];
}

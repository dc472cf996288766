import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { readRebuildReport, type RemoteTable } from "../../lib/analytics/mod.ts";
import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { secretSpecs } from "../../lib/sources/mod.ts";
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
import { catalogChecks } from "./catalogs.ts";
import { attempt, dependent, failed, ok, warning, type Check } from "./check.ts";
import { readCopies, withCopyAdvice } from "./copy.ts";
import { eventChecks } from "./events.ts";
import { publishedText } from "./machine.ts";
import { profileChecks } from "./profiles.ts";
import { runChecks } from "./runs.ts";
import { healthChecks, neverChecked, syncChecks } from "./syncs.ts";

/**
 * Checks a workspace. Sources are not read, but those of remote tables are attached.
 *
 * @param installExtensions whether missing DuckDB extensions are downloaded
 */
export async function workspaceChecks(agnes: Agnes, installExtensions: boolean): Promise<readonly Check[]> {
  const { directory, dataDirectory, config } = agnes.workspace;
  const sources = Object.entries(config.sources);
  const failures = agnes.plugins.failures();
  const copies = await readCopies(agnes.workspace);
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
    copies.checks,
    await attempt("registry", () => registryChecks(agnes)),
    await catalogChecks(dataDirectory),
    await attempt("profiles", () => profileChecks(dataDirectory)),
    await dependent("syncs", async () =>
      (await hasCatalog(dataDirectory, "tables")) ? syncChecks(agnes) : [],
    ),
    await dependent("last runs", async () =>
      (await hasCatalog(dataDirectory, "runs")) ? runChecks(agnes) : [],
    ),
    await dependent("health of the sources", async () =>
      (await hasCatalog(dataDirectory, "health"))
        ? healthChecks(agnes)
        : neverChecked(sources.map(([name]) => name)),
    ),
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
  return withCopyAdvice(checks.flat(), config, copies.state);
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
  const secrets = Object.entries(secretSpecs(plugin, source.secrets)).map(([secret, spec]): Check => {
    const variable = source.secrets[secret] ?? secret;
    const isSet = (process.env[variable] ?? "") !== "";
    if (isSet) return ok(`secret ${variable}`, `set, for source ${name}`);
    const message = `not set, for source ${name}: ${spec.description}`;
    return spec.required === true
      ? {
          name: `secret ${variable}`,
          state: "error",
          message,
          hint: `Set the environment variable ${variable}.`,
        }
      : ok(`secret ${variable}`, `${message}; it is not required`);
  });
  const first = await firstStep(agnes, name, source, plugin);
  const directory = dataPaths.extract(dataDirectory, name);
  return [...secrets, await extractCheck(name, directory, first), ...(await eventChecks(name, directory))];
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
  if (isCatalogued && (await hasTables(agnes, name))) return sync;
  const registering = registerCommand(name, plugin.capabilities);
  if (registering === null)
    return "Its plugin can neither read nor query tables, so there is nothing to sync.";
  if (!plugin.capabilities.includes("discover")) {
    return `Its plugin cannot list its tables: run \`${registering}\`, then \`agnes sync ${name}\`.`;
  }
  if ((register ?? plugin.register ?? "all") === "all") return sync;
  return `None of its tables is registered: \`agnes connector discover ${name}\` lists them; run \`${registering}\`, then \`agnes sync ${name}\`.`;
}

/** Whether a source has registered tables, or may have: an unreadable registry has a check of its own. */
async function hasTables(agnes: Agnes, source: string): Promise<boolean> {
  try {
    return (await (await agnes.tables()).list({ source })).length > 0;
  } catch (error) {
    if (isAgnesError(error)) return true;
    throw error;
  }
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
  return { name, state: "error", message: `cannot be queried: ${reason}`, ...hint };
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

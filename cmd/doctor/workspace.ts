import { join } from "node:path";

import type { Agnes } from "../../lib/agnes.ts";
import { readRebuildReport } from "../../lib/analytics/mod.ts";
import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { readExtract } from "../../lib/extract/mod.ts";
import { checkAgainst, CONFIG_FILE, dataPaths, type SourceConfig } from "../../lib/workspace/mod.ts";
import { plural } from "../console/figures.ts";
import { conflictRemedy, conflictText, publishRemedy } from "../console/remedies.ts";
import { attempt, failed, ok, warning, type Check } from "./check.ts";
import { publishedText } from "./machine.ts";

/** What is to be said of a workspace, without reading any source. */
export async function workspaceChecks(agnes: Agnes): Promise<readonly Check[]> {
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
    ...(await Promise.all(
      sources.map(([name, source]) =>
        attempt(`source ${name}`, async () => sourceChecks(agnes, name, source, dataDirectory)),
      ),
    )),
    await attempt("analytics", () => analyticsChecks(dataDirectory, new Set(Object.keys(config.sources)))),
  ];
  return checks.flat();
}

async function sourceChecks(
  agnes: Agnes,
  name: string,
  source: SourceConfig,
  dataDirectory: string,
): Promise<readonly Check[]> {
  const plugin = agnes.plugins.get(source.plugin);
  checkAgainst(plugin.options, source.options, `sources.${name}.options`);
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
          hint: `Put it into the environment as ${variable}.`,
        }
      : warning(`secret ${variable}`, message, "It is not required.");
  });
  return [...secrets, await extractCheck(name, dataPaths.extract(dataDirectory, name))];
}

async function extractCheck(name: string, directory: string): Promise<Check> {
  try {
    const extract = await readExtract(directory);
    return extract === null
      ? warning(`source ${name}`, "nothing published yet", `Run \`agnes sync ${name}\`.`)
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

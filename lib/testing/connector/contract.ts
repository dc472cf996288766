import { counted } from "../../base/mod.ts";
import type { AnyPlugin, TableInfo } from "../../kit/mod.ts";
import { withExceptions, type ContractCase } from "../case.ts";
import type { ContractConfig } from "./config.ts";
import type { SourceCase } from "./source-case.ts";
import { deletionCases } from "./deletion-cases.ts";
import { downloadCases } from "./download-cases.ts";
import { extractCases } from "./extract-cases.ts";
import { failureCases } from "./failure-cases.ts";
import { jobCases } from "./job-cases.ts";
import { metadataCases } from "./metadata-cases.ts";
import { parameterCases } from "./parameter-cases.ts";
import { pushCases } from "./push-cases.ts";
import { queryCases } from "./query-cases.ts";
import { readCases } from "./read-cases.ts";
import { openSession, type CaseContext } from "./session.ts";
import { sourceCases } from "./source-cases.ts";
import { sourceQueryCases } from "./source-query-cases.ts";
import { CaseWatch } from "./watch.ts";
import { writeMetadataCases } from "./write-metadata-cases.ts";
import { writeCases } from "./write-cases.ts";

const ALL: readonly SourceCase[] = [
  ...sourceCases,
  ...metadataCases,
  ...readCases,
  ...sourceQueryCases,
  ...queryCases,
  ...jobCases,
  ...parameterCases,
  ...pushCases,
  ...writeCases,
  ...writeMetadataCases,
  ...failureCases,
  ...extractCases,
  ...deletionCases,
  ...downloadCases,
];

/**
 * Returns the contract of a connector's declared capabilities as cases for any test runner.
 *
 * Each case connects through the runtime of Agnes and has a timeout of `timeoutMs` (default: one minute); set a longer
 * timeout in the test runner, so that the error message is that of the case. The reading cases read every table about
 * twenty times in total: for large sources set `maxRows`, or select small tables with `tables`. Nothing is written
 * unless `write` is set.
 *
 * @throws RangeError if `exceptions` contains an unknown case
 * @example
 * ```ts
 * import { connectorContract } from "agnes/testing";
 * import { test } from "bun:test";
 * import plugin from "./plugin.ts";
 * const cases = connectorContract(plugin, { options: { path: "tests/data" } });
 * for (const { name, run } of cases) test(name, run, 120_000);
 * ```
 */
export function connectorContract(plugin: AnyPlugin, config: ContractConfig = {}): readonly ContractCase[] {
  const declared = new Set(plugin.capabilities);
  const hasTables = declared.has("discover") || (config.tables ?? []).length > 0;
  const cases = ALL.filter(
    (one) =>
      one.needs.every((capability) => declared.has(capability)) &&
      (one.needsTables !== true || hasTables) &&
      (one.when?.(config, plugin) ?? true),
  );
  // Tables that turned out to be too large, so that no other case reads them.
  const large = new Set<string>();
  const described = new Map<string, TableInfo>();
  return withExceptions(
    cases.map((one) => ({
      name: one.name,
      needs: one.needs,
      run: () => runCase(one, plugin, config, { large, described }),
    })),
    config.exceptions,
  );
}

async function runCase(
  one: SourceCase,
  plugin: AnyPlugin,
  config: ContractConfig,
  shared: Omit<CaseContext, "watch">,
): Promise<string | void> {
  const watch = new CaseWatch(one.name, config);
  const work = async () => {
    await using session = await openSession(plugin, config, { watch, ...shared });
    const remark = await one.run(session);
    const { leftOut } = session;
    const left = `skipped, because they have more than ${counted(config.maxRows ?? 0, "row")}: ${[...leftOut].join(", ")}`;
    if (leftOut.size === 0) return remark;
    return typeof remark === "string" ? `${remark}; ${left}` : left;
  };
  return watch.run(work, config.signal);
}

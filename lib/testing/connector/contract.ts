import type { AnyPlugin, TableInfo } from "../../kit/mod.ts";
import { withExceptions, type ContractCase } from "../case.ts";
import type { ContractConfig } from "./config.ts";
import type { SourceCase } from "./source-case.ts";
import { deletionCases } from "./deletion-cases.ts";
import { extractCases } from "./extract-cases.ts";
import { failureCases } from "./failure-cases.ts";
import { metadataCases } from "./metadata-cases.ts";
import { pushCases } from "./push-cases.ts";
import { queryCases } from "./query-cases.ts";
import { readCases } from "./read-cases.ts";
import { openSession, type CaseContext } from "./session.ts";
import { sourceCases } from "./source-cases.ts";
import { CaseWatch } from "./watch.ts";

const ALL: readonly SourceCase[] = [
  ...sourceCases,
  ...metadataCases,
  ...readCases,
  ...queryCases,
  ...pushCases,
  ...failureCases,
  ...extractCases,
  ...deletionCases,
];

/**
 * Every promise that a connector makes by the capabilities its plugin declares, as cases for any test runner.
 *
 * Each case connects on its own, through the product's own runtime, and fails when it takes longer than `timeoutMs`, one
 * minute by default; give the runner a longer limit, so that the message is the one of the case. Reading cases read every
 * table about twenty times together: set `rowsMax`, or name small tables in `tables`, when the source is big. Nothing is
 * written unless `write` says what.
 *
 * @throws RangeError when `exceptions` names a case that does not exist
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
      (one.when?.(config) ?? true),
  );
  // Tables that turned out to be too large, so that no other case begins to read them.
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
    const left = `not tried, because they have more than ${config.rowsMax} rows: ${[...leftOut].join(", ")}`;
    if (leftOut.size === 0) return remark;
    return typeof remark === "string" ? `${remark}; ${left}` : left;
  };
  return watch.run(work, config.signal);
}

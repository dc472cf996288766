import type { AnyPlugin } from "../../kit/mod.ts";
import { withExceptions, type ContractCase } from "../case.ts";
import type { ContractConfig, SourceCase } from "./config.ts";
import { deletionCases } from "./deletion-cases.ts";
import { extractCases } from "./extract-cases.ts";
import { failureCases } from "./failure-cases.ts";
import { pushCases } from "./push-cases.ts";
import { queryCases } from "./query-cases.ts";
import { readCases } from "./read-cases.ts";
import { openSession } from "./session.ts";
import { sourceCases } from "./source-cases.ts";

const ALL: readonly SourceCase[] = [
  ...sourceCases,
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
 * Each case connects on its own, through the product's own runtime. Reading cases read every table several times:
 * name small ones in `tables` when the source is big. Nothing is written unless `write` says what.
 *
 * @throws RangeError when `exceptions` names a case that does not exist
 * @example
 * ```ts
 * import { connectorContract } from "agnes/testing";
 * import { test } from "bun:test";
 * import plugin from "./plugin.ts";
 * for (const { name, run } of connectorContract(plugin, { options: { path: "tests/data" } })) test(name, run);
 * ```
 */
export function connectorContract(plugin: AnyPlugin, config: ContractConfig = {}): readonly ContractCase[] {
  const declared = new Set(plugin.capabilities);
  const cases = ALL.filter(
    (one) => one.needs.every((capability) => declared.has(capability)) && (one.when?.(config) ?? true),
  );
  return withExceptions(
    cases.map((one) => ({ name: one.name, needs: one.needs, run: () => runCase(one, plugin, config) })),
    config.exceptions,
  );
}

async function runCase(one: SourceCase, plugin: AnyPlugin, config: ContractConfig): Promise<string | void> {
  await using session = await openSession(plugin, config);
  return await one.run(session);
}

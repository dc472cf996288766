import type { Capability } from "../kit/mod.ts";

/** One promise that is put to the test; any runner can run it. */
export interface ContractCase {
  /** `symbol() does thing`: unique and stable, so that exceptions can name it. */
  readonly name: string;
  /** The capabilities without which the promise does not arise. */
  readonly needs: readonly Capability[];
  /**
   * Rejects when the promise is broken. Resolves with a remark when there was nothing to hold it to, such as a
   * promise about cursors when no table has one.
   */
  readonly run: () => Promise<string | void>;
}

/** A case that is known not to hold, and why. */
export interface ContractException {
  readonly case: string;
  readonly reason: string;
}

/** What became of one case. */
export interface CaseResult {
  readonly name: string;
  readonly ok: boolean;
  /** Why the case could not fail: there was nothing to hold the promise to. */
  readonly remark?: string;
  readonly error?: unknown;
  readonly elapsedMs: number;
}

/**
 * Turns excepted cases round: such a case must fail, and says so when it no longer does.
 *
 * @throws RangeError for the name of a case that does not exist
 */
export function withExceptions(
  cases: readonly ContractCase[],
  exceptions: readonly ContractException[] = [],
): readonly ContractCase[] {
  const reasons = new Map(exceptions.map((exception) => [exception.case, exception.reason]));
  const unknown = [...reasons.keys()].find((name) => !cases.some((one) => one.name === name));
  if (unknown !== undefined) {
    const names = cases.map((one) => `  ${one.name}`).join("\n");
    throw new RangeError(`there is no case ${JSON.stringify(unknown)} to except; the cases are\n${names}`);
  }
  return cases.map((one) => {
    const reason = reasons.get(one.name);
    return reason === undefined ? one : { ...one, run: () => expectFailure(one, reason) };
  });
}

/**
 * Runs cases one after the other, for when there is no test runner. A promise of `onResult` is waited for; `signal` stops before the next case; give it to
 * `connectorContract`, too, to stop the case that is running.
 *
 * @example
 * ```ts
 * import { connectorContract, runCases } from "agnes/testing";
 * import plugin from "./plugin.ts";
 * const results = await runCases(connectorContract(plugin, { options: {} }));
 * console.log(results.filter((result) => !result.ok));
 * ```
 */
export async function runCases(
  cases: readonly ContractCase[],
  options: {
    readonly signal?: AbortSignal;
    readonly onResult?: (result: CaseResult) => unknown;
  } = {},
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) {
    options.signal?.throwIfAborted();
    const result = await runCase(one);
    await options.onResult?.(result);
    results.push(result);
  }
  return results;
}

async function runCase(one: ContractCase): Promise<CaseResult> {
  const startedMs = performance.now();
  const outcome = await one.run().then(
    (remark) => ({ ok: true, ...(typeof remark === "string" ? { remark } : {}) }),
    (error: unknown) => ({ ok: false, error }),
  );
  return { name: one.name, ...outcome, elapsedMs: performance.now() - startedMs };
}

async function expectFailure(one: ContractCase, reason: string): Promise<void> {
  const { ok } = await runCase(one);
  if (ok)
    throw new Error(`"${one.name}" holds now; take it off the exceptions (it was there because: ${reason})`);
}

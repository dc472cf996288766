import type { Capability } from "../kit/mod.ts";

/** One test case; independent of the test runner. */
export interface ContractCase {
  /** `symbol() does thing`: unique and stable, so that exceptions can refer to it. */
  readonly name: string;
  /** The capabilities that the case requires. */
  readonly needs: readonly Capability[];
  /**
   * Rejects if the case fails. Resolves with a remark if there was nothing to test, such as a case about cursors if no
   * table has one.
   */
  readonly run: () => Promise<string | void>;
}

/** A case that is known to fail, with the reason. */
export interface ContractException {
  /** The name of the case. */
  readonly case: string;
  /** Why the case fails. */
  readonly reason: string;
}

/** The result of one case. */
export interface CaseResult {
  readonly name: string;
  readonly ok: boolean;
  /** Why there was nothing to test. */
  readonly remark?: string;
  /** Why the case failed; not set if `ok`. */
  readonly error?: unknown;
  readonly elapsedMs: number;
}

/**
 * Inverts excepted cases: such a case must fail, and reports an error if it passes.
 *
 * @throws RangeError for an unknown case name
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
 * Runs cases sequentially, without a test runner. A promise returned by `onResult` is awaited. `signal` stops before the
 * next case; pass it to `connectorContract` too, to stop the running case. A failed case is a result, not an error.
 *
 * @throws the reason of `signal` if it aborts, and errors of `onResult`
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
  return { name: one.name, ...outcome, elapsedMs: Math.round(performance.now() - startedMs) };
}

async function expectFailure(one: ContractCase, reason: string): Promise<void> {
  const { ok } = await runCase(one);
  if (ok)
    throw new Error(`"${one.name}" passes now; remove it from the exceptions (its reason was: ${reason})`);
}

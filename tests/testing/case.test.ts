import { describe, expect, test } from "bun:test";

import { connectorContract, runCases, type ContractConfig } from "agnes/testing";

import { memoryPlugin } from "./memory/memory.ts";

const HEALTH = "health() returns a sentence";
const config = (exceptions: ContractConfig["exceptions"] = []): ContractConfig => ({
  secrets: { TOKEN: "0123456789" },
  exceptions,
});
const sick = memoryPlugin(() => ({ health: async () => ({ ok: false, message: "down" }) }));

async function resultOf(plugin: ReturnType<typeof memoryPlugin>, exceptions: ContractConfig["exceptions"]) {
  const cases = connectorContract(plugin, config(exceptions)).filter((one) => one.name === HEALTH);
  const [result] = await runCases(cases);
  return result!;
}

describe("exceptions", () => {
  test("an excepted case may fail", async () => {
    expect((await resultOf(sick, [])).ok).toBe(false);
    expect((await resultOf(sick, [{ case: HEALTH, reason: "the source has no such thing" }])).ok).toBe(true);
  });

  test("an excepted case that passes is an error", async () => {
    const result = await resultOf(memoryPlugin(), [{ case: HEALTH, reason: "it was broken once" }]);
    expect(result.ok).toBe(false);
    expect((result.error as Error).message).toContain("remove it from the exceptions");
    expect((result.error as Error).message).toContain("it was broken once");
  });

  test("an exception for an unknown case is rejected with the list of cases", () => {
    const exceptions = [{ case: "health() ansers", reason: "typing" }];
    expect(() => connectorContract(memoryPlugin(), config(exceptions))).toThrow(RangeError);
    expect(() => connectorContract(memoryPlugin(), config(exceptions))).toThrow(HEALTH);
  });
});

describe("runCases()", () => {
  const cases = [
    { name: "a", needs: [], run: async () => {} },
    { name: "b", needs: [], run: () => Promise.reject(new Error("broken")) },
    { name: "c", needs: [], run: async () => {} },
  ];

  test("runCases() runs all cases in order and reports each result immediately", async () => {
    const seen: string[] = [];
    const results = await runCases(cases, { onResult: ({ name, ok }) => seen.push(`${name} ${ok}`) });
    expect(seen).toEqual(["a true", "b false", "c true"]);
    expect(results[1]!.error).toMatchObject({ message: "broken" });
  });

  test("runCases() stops before the next case on abort", async () => {
    const controller = new AbortController();
    const seen: string[] = [];
    const onResult = ({ name }: { name: string }) => {
      seen.push(name);
      controller.abort();
    };
    await runCases(cases, { signal: controller.signal, onResult }).catch(() => {});
    expect(seen).toEqual(["a"]);
  });
});

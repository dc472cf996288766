import { describe, expect, test } from "bun:test";

import { connectorContract, runCases, type ContractConfig } from "agnes/testing";

import { memoryPlugin } from "./plugins/memory.ts";

const HEALTH = "health() answers in a sentence";
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
  test("a case that is excepted may fail", async () => {
    expect((await resultOf(sick, [])).ok).toBe(false);
    expect((await resultOf(sick, [{ case: HEALTH, reason: "the source has no such thing" }])).ok).toBe(true);
  });

  test("a case that is excepted and holds must be taken off the list", async () => {
    const result = await resultOf(memoryPlugin(), [{ case: HEALTH, reason: "it was broken once" }]);
    expect(result.ok).toBe(false);
    expect((result.error as Error).message).toContain("take it off the exceptions");
    expect((result.error as Error).message).toContain("it was broken once");
  });

  test("an exception for a case that does not exist is refused, with those that do", () => {
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

  test("runCases() runs all in order and gives each result as it comes", async () => {
    const seen: string[] = [];
    const results = await runCases(cases, { onResult: ({ name, ok }) => seen.push(`${name} ${ok}`) });
    expect(seen).toEqual(["a true", "b false", "c true"]);
    expect(results[1]!.error).toMatchObject({ message: "broken" });
  });

  test("runCases() stops before the next case when it is aborted", async () => {
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

import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { AgnesError, definePlugin, int64, table, type AnyPlugin } from "agnes/kit";
import { connectorContract, runCases, type ContractConfig } from "agnes/testing";
import * as v from "valibot";

import { CaseWatch } from "../../lib/testing/connector/watch.ts";
import { failuresOf, memoryConfig as config } from "./failures.ts";
import { brokenPlugins } from "./memory/broken.ts";
import { memoryPlugin, PEOPLE, type Breaking } from "./memory/memory.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

test("connectorContract() passes for a correct plugin", async () => {
  const results = await runCases(connectorContract(memoryPlugin(), config));
  expect(results.length).toBeGreaterThan(20);
  expect(results.filter((result) => !result.ok)).toEqual([]);
});

test("connectorContract() tests the JSON queries of a plugin, whose fields must be valid", async () => {
  const schema = v.strictObject({ from: v.optional(v.number()) });
  const plugin = memoryPlugin(undefined, ["discover", "read"], schema);
  const results = async (fields: ContractConfig["sourceQuery"]) => {
    const cases = connectorContract(plugin, { ...config, ...(fields && { sourceQuery: fields }) });
    return runCases(cases.filter(({ name }) => /JSON query|and a limit/.test(name)));
  };
  expect(await results(undefined)).toMatchObject([{ ok: true }, { ok: true }]);
  const [, invalid] = await results([{ table: "people", fields: { form: 5 } }]);
  expect(String(invalid!.error)).toContain('{"form":5} is not valid by the schema sourceQuery');
  const names = connectorContract(memoryPlugin(), config).map(({ name }) => name);
  expect(names.some((name) => name.includes("JSON query"))).toBe(false);
});

test("connectorContract() reads tables with only a name once for their columns, without discover", async () => {
  let first = 0;
  const plugin = memoryPlugin(
    (good) => ({
      read: (info, options) => {
        if (info.schema.fields.length === 0) first += 1;
        return good.read(info, options);
      },
    }),
    ["read"],
  );
  const cases = connectorContract(plugin, { ...config, tables: ["people"] });
  expect(cases.map(({ name }) => name)).toContain("an extract publishes every row of every table");
  expect((await runCases(cases)).filter((result) => !result.ok)).toEqual([]);
  expect(first).toBe(1);
});

test("connectorContract() reports a table that discover() lists as unreadable", async () => {
  const problem = new AgnesError("source_path_empty", { path: "orders.csv" });
  const plugin = definePlugin({
    name: "half",
    version: "1.0.0",
    description: "a table that cannot be read",
    capabilities: ["discover"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({ discover: async () => [table("orders", {}, { problem })] }),
  });
  const results = await runCases(connectorContract(plugin, config));
  const failed = results.find(({ name }) => name === "discover() lists named and typed tables");
  expect(failed).toMatchObject({ ok: false });
  expect(String((failed as { error?: unknown }).error)).toMatch(/orders cannot be read.*orders\.csv/s);
});

test("connectorContract() reports when there is no cursor and no value to test", async () => {
  const plugin = definePlugin({
    name: "plain",
    version: "1.0.0",
    description: "a table without a cursor",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    connect: () => ({
      discover: async () => [table("plain", { n: int64() })],
      async *read() {
        yield [{ n: null }];
      },
    }),
  });
  const remarks = async (tried: AnyPlugin) =>
    (await runCases(connectorContract(tried, config))).flatMap(({ ok, name, remark }) =>
      remark === undefined ? [] : [{ ok, name, remark }],
    );
  expect(await remarks(plugin)).toEqual([
    {
      ok: true,
      name: "read() yields each primary key once",
      remark: "no table has a primary key, so nothing was tested",
    },
    {
      ok: true,
      name: "read() with a filter yields all rows that match it",
      remark: "no table has a value to filter by, so nothing was tested",
    },
    {
      ok: true,
      name: "read() with a cursor yields exactly the requested rows",
      remark: "no table with rows has a cursor, so nothing was tested",
    },
    {
      ok: true,
      name: "read() yields deletions with primary keys, and an extract removes these rows",
      remark: "no table yields deletions, so nothing was tested",
    },
  ]);
  expect(await remarks(memoryPlugin())).toEqual([]);
});

describe("connectorContract() ends each case", () => {
  const KEYS = "read() yields each primary key once";
  const resultOf = async (breaking: Breaking, overrides: ContractConfig = {}) => {
    const cases = connectorContract(memoryPlugin(breaking), { ...config, ...overrides });
    const [result] = await runCases(cases.filter(({ name }) => name === KEYS));
    return result!;
  };

  test("connectorContract() reports the current read on timeout", async () => {
    const watch = new CaseWatch("a case", { timeoutMs: 1 });
    const read = watch.read("people");
    read.took(2);
    watch.read("done").end();
    const late = watch.run(() => new Promise(() => {}));
    expect(late).rejects.toThrow(
      "did not finish within 0.001 s; the read of people has yielded 2 rows and not ended",
    );
    await late.catch(() => {});
    expect(watch.signal.aborted).toBe(true);
  });

  test("connectorContract() fails a case whose read never ends", async () => {
    const endless: Breaking = () => ({
      // It never awaits I/O, so it ends only if the loop yields to timers.
      async *read() {
        yield [{ id: 1 }];
        for (;;) yield [];
      },
    });
    const { ok, error } = await resultOf(endless, { timeoutMs: 300 });
    expect(ok).toBe(false);
    expect(String(error)).toContain("did not finish within 0.3 s");
  });

  test("connectorContract() fails a case whose read hangs", async () => {
    const hanging: Breaking = () => ({
      // oxlint-disable-next-line require-yield -- it hangs
      async *read() {
        await new Promise(() => {});
      },
    });
    const { ok, error } = await resultOf(hanging, { timeoutMs: 100 });
    expect(ok).toBe(false);
    expect(String(error)).toContain("did not finish within 0.1 s");
  });

  test("connectorContract() stops the running case on abort", async () => {
    const controller = new AbortController();
    const hanging: Breaking = () => ({
      // oxlint-disable-next-line require-yield -- it hangs
      async *read() {
        controller.abort();
        await new Promise(() => {});
      },
    });
    const { error } = await resultOf(hanging, { signal: controller.signal });
    expect(error).toMatchObject({ code: "aborted" });
  });
});

describe("connectorContract() with maxRows", () => {
  /** Counts the rows read by all cases. */
  const counting = (totals: { rows: number; reads: number }): Breaking => {
    return (good) => ({
      async *read(info, options) {
        totals.reads += 1;
        for await (const batch of good.read(info, { ...options, batchRows: 50 })) {
          if ("numRows" in batch) totals.rows += batch.numRows;
          yield batch;
        }
      },
    });
  };

  test("connectorContract() reads no large table completely, and reports skipped tables", async () => {
    const totals = { rows: 0, reads: 0 };
    const plugin = memoryPlugin(counting(totals), ["discover", "read"]);
    const results = await runCases(connectorContract(plugin, { ...config, maxRows: 100 }));
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
    expect(results.find(({ name }) => name === "read() with columns yields the same rows")!.remark).toBe(
      "skipped, because they have more than 100 rows: people",
    );
    // Two cases read the first rows, one detects that there are more, and the cases of aborts and jobs read a batch.
    expect(totals.rows).toBeLessThanOrEqual(600);
    expect(totals.reads).toBeLessThanOrEqual(7);
  });

  test("connectorContract() reads a table fewer than thirty times", async () => {
    const totals = { rows: 0, reads: 0 };
    await runCases(connectorContract(memoryPlugin(counting(totals), ["discover", "read"]), config));
    expect(totals.rows).toBeLessThan(30 * 800);
  });
});

test("connectorContract() does not confuse key columns with others, independent of their names", async () => {
  const named = table("named", { n: int64(), agnes_row: int64() }, { primaryKey: ["n", "agnes_row"] });
  const plugin = memoryPlugin(
    () => ({
      async *read() {
        yield [2, 3].map((n) => ({ n, agnes_row: n }));
      },
    }),
    ["read"],
  );
  const cases = connectorContract(plugin, { ...config, tables: [named] });
  const results = await runCases(cases.filter(({ name }) => name === "read() yields each primary key once"));
  expect(results.map(({ ok, error }) => ({ ok, error }))).toEqual([{ ok: true, error: undefined }]);
});

test("connectorContract() tests the described tables of a plugin without discover", async () => {
  const plugin = memoryPlugin(undefined, ["read"]);
  const names = (overrides: ContractConfig) =>
    connectorContract(plugin, { ...config, ...overrides }).map((one) => one.name);
  expect(names({}).some((name) => name.includes("extract"))).toBe(false);
  const results = await runCases(connectorContract(plugin, { ...config, tables: [PEOPLE] }));
  expect(results.map(({ name }) => name)).toContain("an extract publishes every row of every table");
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
});

test("connectorContract() reports its progress", async () => {
  const seen: string[] = [];
  const cases = connectorContract(memoryPlugin(), {
    ...config,
    onProgress: ({ case: name, table: read, rows }) => void seen.push(`${name}: ${read} ${rows}`),
  });
  await runCases(cases.filter(({ name }) => name === "read() yields each primary key once"));
  expect(seen[0]).toBe("read() yields each primary key once: undefined undefined");
  expect(seen.at(-1)).toBe("read() yields each primary key once: people 800");
});

// tests/full checks that no other case fails, because that runs all cases.
describe("connectorContract() detects:", () => {
  for (const { title, breaking, caught, capabilities, sourceQuery } of brokenPlugins) {
    test(title, async () => {
      expect(await failuresOf(memoryPlugin(breaking, capabilities, sourceQuery), config, caught)).toEqual([
        ...caught,
      ]);
    });
  }

  test("options that accept any key", async () => {
    const plugin = { ...memoryPlugin(), options: v.object({}) };
    const caught = ["options reject an unknown key"];
    expect(await failuresOf(plugin, config, caught)).toEqual(caught);
  });

  test("every case, except those that only server faults can break", () => {
    const caught = new Set([
      ...brokenPlugins.flatMap((broken) => broken.caught),
      "options reject an unknown key",
    ]);
    expect(connectorContract(memoryPlugin(), config).filter(({ name }) => !caught.has(name))).toEqual([]);
  });
});

describe("connectorContract() chooses cases", () => {
  const names = (plugin: AnyPlugin, overrides: ContractConfig = {}) =>
    connectorContract(plugin, overrides).map((one) => one.name);

  test("connectorContract() returns only the cases of the declared capabilities", () => {
    const some = { ...memoryPlugin(), capabilities: ["discover", "metadata"] } as const;
    for (const { needs } of connectorContract(some, config))
      expect(some.capabilities).toEqual(expect.arrayContaining([...needs]));
    expect(names(some).some((name) => name.startsWith("read()"))).toBe(false);
  });

  test("connectorContract() writes nothing and pushes no authentic event unless configured", () => {
    expect(names(memoryPlugin()).some((name) => name.startsWith("write()"))).toBe(false);
    expect(names(memoryPlugin()).some((name) => name.startsWith("stream()"))).toBe(false);
    expect(names(memoryPlugin())).toContain("verify() rejects unsigned requests");
  });

  test("connectorContract() names every case once", () => {
    const all = names(memoryPlugin(), config);
    expect(new Set(all).size).toBe(all.length);
  });
});

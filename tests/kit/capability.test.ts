import { describe, expect, test } from "bun:test";

import {
  capabilities,
  capabilityMethods,
  definePlugin,
  int64,
  isFileChunk,
  isRows,
  permanent,
  table,
  transient,
  utf8,
  createRowBuilder,
  arrow,
} from "../../lib/kit/mod.ts";
import * as v from "valibot";

describe("capabilities", () => {
  test("capabilities combine freely and are listed in the order of the documentation", () => {
    const some = capabilities.filter((capability) => capability === "read" || capability === "discover");
    expect(some).toEqual(["discover", "read"]);
    expect(some.includes("remote" as never)).toBe(false);
    expect([...capabilities]).toEqual(["discover", "read", "stream", "remote", "query", "metadata", "write"]);
  });

  test("capabilityMethods names at least one method for each capability, and none twice", () => {
    const methods = capabilities.flatMap((capability) => capabilityMethods[capability]);
    expect(Object.keys(capabilityMethods)).toEqual([...capabilities]);
    expect(new Set(methods).size).toBe(methods.length);
    for (const capability of capabilities) expect(capabilityMethods[capability].length).toBeGreaterThan(0);
  });

  test("table() accepts fewer capabilities than those of the connector", () => {
    const one = table("t", { id: int64() }, { capabilities: ["remote"] });
    expect(one.capabilities).toEqual(["remote"]);
    expect(table("t", { id: int64() })).toMatchObject({ name: "t", primaryKey: [] });
  });

  test("definePlugin() returns the plugin itself", () => {
    const plugin = {
      name: "x",
      version: "1.0.0",
      description: "x",
      capabilities: ["metadata"],
      options: v.strictObject({}),
      secrets: {},
      connect: () => ({ metadata: async () => [] }),
    } as const;
    expect(definePlugin(plugin)).toBe(plugin as never);
  });
});

describe("table()", () => {
  test("table() copies nullability and descriptions to the Arrow schema", () => {
    const { schema } = table("t", {
      id: int64({ nullable: false }),
      name: utf8({ description: "full name" }),
    });
    const [id, name] = schema.fields;
    expect([id!.nullable, name!.nullable]).toEqual([false, true]);
    expect([id!.metadata.size, name!.metadata.get("description")]).toEqual([0, "full name"]);
  });

  test("table() accepts an Arrow schema unchanged", () => {
    const schema = new arrow.Schema([new arrow.Field("a", new arrow.Int8())]);
    expect(table("t", schema).schema).toBe(schema);
  });
});

describe("batches", () => {
  test("isRows() and isFileChunk() distinguish the three kinds", () => {
    const builder = createRowBuilder(table("t", { id: int64() }));
    builder.append([{ id: 1 }]);
    const [batch] = builder.finish();
    const file = { kind: "file", format: "csv", data: "/x.csv" } as const;
    expect([isRows([]), isRows(file), isRows(batch!)]).toEqual([true, false, false]);
    expect([isFileChunk([]), isFileChunk(file), isFileChunk(batch!)]).toEqual([false, true, false]);
  });
});

describe("failures", () => {
  test("transient() and permanent() return errors of their class with the author's message", () => {
    const cause = new Error("inner");
    const busy = transient("the job was thrown out", { retryAfterMs: 1500, cause });
    expect(busy).toMatchObject({
      code: "source_unavailable",
      retry: "transient",
      message: "the job was thrown out",
    });
    expect(busy.hint).toContain("2 s");
    expect(busy.cause).toBe(cause);
    expect(permanent("the table is gone")).toMatchObject({ code: "source_refused", retry: "permanent" });
  });
});

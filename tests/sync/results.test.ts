import { describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, isAgnesError, writeResult, type Agnes } from "agnes";
import { definePlugin, int64, table } from "agnes/kit";
import { parquetReadObjects } from "hyparquet";
import * as v from "valibot";

import { temporaryFolder } from "./workspace.ts";

const plugin = definePlugin({
  name: "pair",
  version: "1.0.0",
  description: "Two tables",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  connect: () => ({
    discover: async () => [table("one", { id: int64() }), table("two", { id: int64() })],
    async *read() {
      yield [{ id: 1 }, { id: 2 }];
    },
  }),
});

async function openPair(workspace: string): Promise<Agnes> {
  const config = { version: 1, sources: { pair: { plugin: "pair" } } } as const;
  const agnes = await createAgnes({ workspace, plugins: [plugin], config });
  await agnes.sync();
  return agnes;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "none",
    (error: unknown) => (isAgnesError(error) ? error.code : String(error)),
  );
}

describe("access", () => {
  test("limits query(), rows(), catalog(), describe() and sample() to the tables of the caller", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const options = { access: new Set(["ONE"]) };
    expect((await agnes.catalog()).map(({ id }) => id)).toEqual(["pair.one", "pair.two"]);
    expect((await agnes.catalog(options)).map(({ id }) => id)).toEqual(["pair.one"]);
    expect((await agnes.describe("pair.one", options)).id).toBe("pair.one");
    expect(await codeOf(agnes.describe("two", options))).toBe("table_unknown");
    const sample = await agnes.sample("one", 1, options);
    await sample.close();
    expect(await codeOf(agnes.sample("two", 1, options))).toBe("table_unknown");
    expect(await agnes.rows("SELECT count(*) AS n FROM one", options)).toEqual([{ n: 2 }]);
    expect(await codeOf(agnes.rows("FROM two", options))).toBe("table_unknown");
    expect(await agnes.catalog({ access: new Set() })).toEqual([]);
  });

  test("describe() stops when its signal aborts", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    expect(await codeOf(agnes.describe("one", { signal: AbortSignal.abort() }))).toBe("aborted");
  });
});

describe("writeResult()", () => {
  test("writes each format to a function", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const textOf = async (format: "json" | "ndjson" | "csv") => {
      let text = "";
      const to = (bytes: Uint8Array) => void (text += Buffer.from(bytes).toString());
      await writeResult(await agnes.query("FROM one ORDER BY id"), { format, to });
      return text;
    };
    expect(JSON.parse(await textOf("json"))).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await textOf("ndjson")).toBe('{"id":1}\n{"id":2}\n');
    expect(await textOf("csv")).toBe("id\n1\n2\n");
  });

  test("writes a file that other readers read", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const to = join(folder.path, "one.parquet");
    await writeResult(await agnes.query("FROM one ORDER BY id"), { format: "parquet", to });
    const bytes = await readFile(to);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const compressors = { ZSTD: (input: Uint8Array) => Bun.zstdDecompressSync(input) };
    expect(await parquetReadObjects({ file, compressors })).toEqual([{ id: 1n }, { id: 2n }]);
  });

  test("leaves an existing file, and no other, if the query fails", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const to = join(folder.path, "rows.csv");
    await writeFile(to, "before");
    const failing = "SELECT error('stop') FROM one WHERE id > 1";
    const before = await readdir(folder.path);
    expect(await codeOf((async () => writeResult(await agnes.query(failing), { format: "csv", to }))())).toBe(
      "sql_failed",
    );
    expect(await readFile(to, "utf8")).toBe("before");
    expect(await readdir(folder.path)).toEqual(before);
  });
});

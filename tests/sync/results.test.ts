import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { lstat, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createAgnes, isAgnesError, writeResult, type Agnes } from "agnes";
import { definePlugin, int64, table } from "agnes/kit";
import { parquetReadObjects } from "hyparquet";
import * as v from "valibot";

import { nodeFiles } from "../../lib/base/mod.ts";
import { faultyFiles } from "../fakes/faulty-files.ts";
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

  test("catalog() and describe() return a registered description before the next sync", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    await (await agnes.tables()).update("pair.one", { description: "numbers" });
    expect((await agnes.catalog()).map(({ description }) => description)).toEqual(["numbers", ""]);
    expect((await agnes.describe("one")).description).toBe("numbers");
    await writeFile(join(folder.path, "data/state/tables/log/00000000/000000000001.json"), "{ torn");
    await using damaged = await createAgnes({ workspace: folder.path, plugins: [], config: { version: 1 } });
    expect((await damaged.catalog()).map(({ name }) => name)).toEqual(["one", "two"]);
  });

  test("describe() does not name other tables in the documentation of a table", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const registry = await agnes.tables();
    await registry.update("pair.one", {
      foreignKeys: [
        { column: "id", references: "two.id" },
        { column: "id", references: "PAIR.one" },
      ],
      documentation: { grain: "one row", pairsWellWith: ["one", "two"] },
    });
    const described = await agnes.describe("one", { access: new Set(["one"]) });
    expect(described.foreignKeys).toEqual([{ column: "id", references: "PAIR.one" }]);
    expect(described.documentation).toEqual({ grain: "one row", pairsWellWith: ["one"] });
    expect((await agnes.describe("one")).foreignKeys).toHaveLength(2);
  });

  test("is refused together with `trusted`, and when it is no set of names", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    expect(await codeOf(agnes.rows("FROM one", { access: new Set(["one"]), trusted: true }))).toBe(
      "invalid_input",
    );
    for (const access of [{}, ["one"], new Map([["one", 1]]), new Set([1])]) {
      expect(await codeOf(agnes.rows("FROM one", { access: access as never }))).toBe("invalid_input");
      expect(await codeOf(agnes.catalog({ access: access as never }))).toBe("invalid_input");
      expect(await codeOf(agnes.describe("one", { access: access as never }))).toBe("invalid_input");
    }
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

  test("refuses a result that was read before, whole or in part, and keeps the file", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const to = join(folder.path, "rows.csv");
    await writeFile(to, "before");
    const result = await agnes.query("FROM one");
    await writeResult(result, { format: "csv", to: () => {} });
    expect(await codeOf(writeResult(result, { format: "csv", to }))).toBe("invalid_input");
    const partly = await agnes.query("FROM one");
    for await (const _batch of partly.batches) break;
    expect(await codeOf(writeResult(partly, { format: "csv", to }))).toBe("invalid_input");
    const twice = await agnes.query("FROM range(200000)", { trusted: true });
    const codes = await Promise.all(
      [1, 2].map(() => codeOf(writeResult(twice, { format: "ndjson", to: () => {} }))),
    );
    expect(codes.sort()).toEqual(["invalid_input", "none"]);
    expect(await readFile(to, "utf8")).toBe("before");
  });

  test("follows links, writes to pipes, and refuses folders, lost links and other formats", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const path = (name: string) => join(folder.path, name);
    const write = async (to: string, format = "csv") =>
      codeOf(writeResult(await agnes.query("SELECT 1 AS a"), { format: format as "csv", to }));
    await writeFile(path("target.csv"), "before");
    await symlink(path("target.csv"), path("link.csv"));
    await symlink(path("nowhere.csv"), path("lost.csv"));
    expect(await write(path("link.csv"))).toBe("none");
    expect(await readFile(path("target.csv"), "utf8")).toBe("a\n1\n");
    expect((await lstat(path("link.csv"))).isSymbolicLink()).toBe(true);
    expect([await write(path("lost.csv")), await write(folder.path), await write("")]).toEqual([
      "file_failed",
      "file_failed",
      "invalid_input",
    ]);
    expect([await write("a\0b"), await write(path("new.csv"), "xml")]).toEqual([
      "invalid_input",
      "invalid_input",
    ]);
    execFileSync("mkfifo", [path("pipe")]);
    const reading = readFile(path("pipe"), "utf8");
    expect(await write(path("pipe"))).toBe("none");
    expect(await reading).toBe("a\n1\n");
    const parquet = readFile(path("pipe"));
    expect(await write(path("pipe"), "parquet")).toBe("none");
    expect((await parquet).subarray(-4).toString()).toBe("PAR1");
    expect((await lstat(path("pipe"))).isFIFO()).toBe(true);
  });

  test("writes through the files of its host, and leaves an existing file, and no other, if they fail", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const to = join(folder.path, "rows.csv");
    await writeFile(to, "before");
    const before = await readdir(folder.path);
    for (const [format, operation] of [
      ["csv", "writeChunks"],
      ["parquet", "makeTemporaryDirectory"],
      ["parquet", "rename"],
    ] as const) {
      const host = { files: faultyFiles(nodeFiles(), { at: 1, operations: [operation] }) };
      const result = await agnes.query("FROM one ORDER BY id");
      expect(await codeOf(writeResult(result, { format, to, host }))).toBe("disk_full");
      expect(await readFile(to, "utf8")).toBe("before");
      expect(await readdir(folder.path)).toEqual(before);
    }
  });

  test("stops at its signal while the function does not take more", async () => {
    using folder = temporaryFolder();
    await using agnes = await openPair(folder.path);
    const stop = new AbortController();
    const to = () => {
      stop.abort();
      return new Promise<void>(() => {});
    };
    const result = await agnes.query("FROM one");
    expect(await codeOf(writeResult(result, { format: "csv", to, signal: stop.signal }))).toBe("aborted");
  });
});

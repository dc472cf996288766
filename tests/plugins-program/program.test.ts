import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { isRunning, until } from "../query/workers/isolated.ts";
import { isAlive, programs, syncOf } from "./support.ts";

setDefaultTimeout(120_000);

interface Input {
  readonly tables: readonly object[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

async function inputOf(own: Awaited<ReturnType<typeof programs>>): Promise<Input> {
  const [row] = await own.agnes.rows<{ readonly text: string }>("SELECT text FROM input");
  return JSON.parse(row!.text) as Input;
}

describe("a source with a program", () => {
  test("publishes its tables and views, and logs stderr", async () => {
    await using own = await programs({ mode: "good" });
    const before = await scratchFolders();
    expect(await syncOf(own)).toMatchObject({
      status: "complete",
      stats: { tablesExtracted: 2, totalRows: 4 },
    });
    expect(
      await own.agnes.rows("SELECT id, label, day::VARCHAR AS day FROM orders ORDER BY id DESC LIMIT 1"),
    ).toEqual([{ id: 2, label: "o2", day: "2026-01-03" }]);
    expect(await own.agnes.rows("FROM customers")).toEqual([{ id: 1, name: "Ann" }]);
    expect((await own.agnes.describe("orders")).description).toBe("the orders");
    expect(own.messages).toContain("reading the orders");
    // The files of the program are removed: what is published are parts of Agnes.
    expect((await scratchFolders()).filter((name) => !before.includes(name))).toEqual([]);
    expect(await syncOf(own)).toMatchObject({ status: "complete", stats: { totalRows: 4 } });
  });

  test("gets its configuration on stdin and its secrets in an otherwise small environment", async () => {
    process.env["AGNES_TEST_NOT_PASSED"] = "hidden";
    await using own = await programs(
      { mode: "input", depth: 2 },
      {
        options: { tables: { input: { settings: { x: [1] }, primaryKey: ["text"] } } },
        secrets: { TOKEN: "MY_TOKEN" },
        env: { MY_TOKEN: "s3cret-value" },
      },
    );
    expect((await syncOf(own)).status).toBe("complete");
    const { env, cwd, ...input } = await inputOf(own);
    expect(input).toMatchObject({
      version: 1,
      source: "p",
      settings: { mode: "input", depth: 2 },
      tables: [{ name: "input", primary_key: ["text"], cursor: null, settings: { x: [1] }, state: null }],
    });
    expect(env["TOKEN"]).toBe("s3cret-value");
    expect(env["AGNES_TEST_NOT_PASSED"]).toBeUndefined();
    expect(cwd).toBe(own.directory);
  });

  test("needs the secrets that agnes.yaml names", async () => {
    await using own = await programs({}, { secrets: { TOKEN: "MISSING_TOKEN" } });
    expect(await syncOf(own)).toMatchObject({ status: "failed", error: { code: "secret_missing" } });
  });

  test("gets the state of its last run, so that it returns new rows only", async () => {
    await using own = await programs(
      { mode: "incremental" },
      { options: { tables: { steps: { primaryKey: ["id"], cursor: "id" } } } },
    );
    expect((await syncOf(own)).status).toBe("complete");
    // The strategy is full_refresh, so the program runs again for all rows.
    expect((await syncOf(own)).status).toBe("complete");
    const rows = () => own.agnes.rows("SELECT id, run FROM steps ORDER BY id");
    const first = [
      { id: 0, run: 0 },
      { id: 1, run: 0 },
    ];
    expect(await rows()).toEqual(first);
    await (await own.agnes.tables()).update("p.steps", { syncStrategy: "incremental" });
    expect((await syncOf(own)).status).toBe("complete");
    expect(await rows()).toEqual(first);
    expect((await syncOf(own)).status).toBe("complete");
    expect(await rows()).toEqual([
      { id: 0, run: 0 },
      { id: 1, run: 1 },
      { id: 2, run: 1 },
    ]);
  });

  test("keeps its other tables when one fails or is missing", async () => {
    await using own = await programs(
      { mode: "one failed" },
      { options: { tables: { orders: {}, refunds: {} } } },
    );
    const { status, stats } = await syncOf(own);
    expect(status).toBe("partial");
    expect(stats!.errors.map(({ table, error }) => [table, error.code])).toEqual([
      ["refunds", "program/table_missing"],
      ["invoices", "program/table_failed"],
    ]);
    expect(await own.agnes.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 3 }]);
  });

  test("needs no other column of _meta than table_name", async () => {
    await using own = await programs({ mode: "short meta" });
    expect((await syncOf(own)).status).toBe("complete");
    expect(await own.agnes.rows("SELECT id FROM orders")).toEqual([{ id: 1 }]);
  });

  test("checks that the program exists, without running it", async () => {
    await using own = await programs({ mode: "exit" });
    expect(await own.agnes.connectors.health("p")).toMatchObject({ ok: true });
    await using missing = await programs({}, { options: { command: ["./no-such-program"] } });
    expect(await missing.agnes.connectors.health("p")).toMatchObject({ ok: false });
    expect((await syncOf(missing)).error).toMatchObject({ code: "source_unhealthy" });
  });
});

describe("a bad program", () => {
  test.each<[string, string, string]>([
    ["exit", "program/program_failed", "its exit status is 3"],
    ["exit", "program/program_failed", 'its last lines on stderr: "Traceback", "it broke with'],
    ["newer", "program/extract_invalid", "DuckDB v2.0.1 wrote extract.duckdb, and Agnes reads"],
    ["no result", "program/result_invalid", "printed nothing"],
    ["no json", "program/result_invalid", "is not JSON"],
    ["bad json", "program/result_invalid", "no object `tables`"],
    ["huge line", "program/result_invalid", "longer than 1 MiB"],
    ["no extract", "program/extract_invalid", "there is no extract.duckdb"],
    ["other meta", "program/extract_invalid", "its table _meta has no column table_name"],
    ["unnamed", "program/extract_invalid", "a row of _meta has no table_name"],
    ["no meta", "program/extract_invalid", "it has no table _meta"],
    ["meta view", "program/extract_invalid", "it has no table _meta"],
    ["remote", "program/extract_invalid", "neither local nor materialized"],
    ["not a database", "program/extract_invalid", "not a valid DuckDB database"],
  ])("%s fails with %s and keeps what is published", async (mode, code, reason) => {
    await using own = await programs({ mode: "good" });
    await syncOf(own);
    await using bad = await programs({ mode }, { secrets: { TOKEN: "T" }, env: { T: "s3cret-value" } });
    const { status, error } = await syncOf(bad);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code });
    expect(error!.message).toContain(reason);
    expect(error!.message).not.toContain("s3cret-value");
    expect(await own.agnes.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 3 }]);
  });

  test("leaves no line of a secret, nor a part of it in a long line, in the log and the error", async () => {
    const secret = "first-line-of-key\nsecond-line-of-key\n";
    const env = { T: secret };
    await using bad = await programs({ mode: "prints secret" }, { secrets: { TOKEN: "T" }, env });
    const { error } = await syncOf(bad);
    expect(error).toMatchObject({ code: "program/program_failed" });
    const shown = [...bad.messages, error!.message, JSON.stringify(error!.details)].join("\n");
    expect(shown).toContain("[redacted]");
    expect(shown).not.toMatch(/first-l|second-l/);
  });

  test("that uses a newer DuckDB is advised which one to install", async () => {
    await using own = await programs({ mode: "newer" });
    const { error } = await syncOf(own);
    expect(error!.hint).toMatch(/`pip install 'duckdb==\d+\.\d+\.\*'`/);
  });

  test("with much output is read to its end", async () => {
    await using own = await programs({ mode: "huge output" });
    expect(await syncOf(own)).toMatchObject({ status: "complete" });
  });

  test("a view of a file elsewhere is not read, and the other tables are", async () => {
    await using own = await programs({ mode: "outside", path: join(import.meta.dir, "program.ts") });
    const { status, stats } = await syncOf(own);
    expect(status).toBe("partial");
    expect(stats!.errors).toMatchObject([{ table: "stolen", error: { code: "program/table_unreadable" } }]);
    expect(await own.agnes.rows("SELECT count(*) AS n FROM orders")).toEqual([{ n: 3 }]);
  });

  test("a table of _meta that the extract lacks is an error of that table", async () => {
    await using own = await programs({ mode: "not in extract" });
    const { stats } = await syncOf(own);
    expect(stats!.errors).toMatchObject([{ table: "ghost", error: { code: "program/table_unreadable" } }]);
  });

  test("a link in its folder is rejected", async () => {
    await using own = await programs({ mode: "link", path: join(import.meta.dir, "program.ts") });
    expect((await syncOf(own)).error).toMatchObject({ code: "program/extract_invalid" });
  });

  test("that never ends is stopped", async () => {
    await using own = await programs({ mode: "endless" }, { options: { timeoutMinutes: 0.03 } });
    expect((await syncOf(own)).error).toMatchObject({ code: "program/program_stopped" });
  });

  test("that leaves a child behind succeeds, and the child is ended", async () => {
    await using folder = await programs({});
    const path = join(folder.directory, "pid");
    await using own = await programs({ mode: "left child", path });
    const startMs = performance.now();
    expect((await syncOf(own)).status).toBe("complete");
    expect(performance.now() - startMs).toBeLessThan(50_000);
    expect(isAlive(Number(await readFile(path, "utf8")))).toBe(false);
  });

  test("leaves no process that started a session of its own, whether it succeeds or is stopped", async () => {
    await using folder = await programs({});
    for (const [mode, status] of [
      ["escaped child", "complete"],
      ["escaped and silent", "failed"],
    ] as const) {
      const path = join(folder.directory, mode);
      await using own = await programs({ mode, path }, { options: { timeoutMinutes: 0.05 } });
      expect((await syncOf(own)).status).toBe(status);
      const pid = Number(await readFile(path, "utf8"));
      await until(() => !isRunning(pid), 10_000);
    }
  });
});

async function scratchFolders(): Promise<readonly string[]> {
  return (await readdir(tmpdir())).filter(
    (name) => name.includes(`-${process.pid}-`) && name.startsWith("agnes-program-"),
  );
}

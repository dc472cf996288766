import { describe, expect, setDefaultTimeout, test } from "bun:test";

import {
  fakeKeboola,
  type FakeKeboola,
  type FileProvider,
  type KeboolaScript,
} from "../fakes/keboola/mod.ts";
import { importsOf, openWritable } from "./writing.ts";

setDefaultTimeout(30_000);

const PEOPLE = "out.c-main.people";
const LOG = "out.c-main.log";

/** A project with a table that has a key and one that has none. */
function project(script: KeboolaScript = {}): FakeKeboola {
  const keboola = fakeKeboola({ jobPolls: 0, provider: "gcp", ...script });
  const rows = [
    { id: "1", name: "one" },
    { id: "2", name: "two" },
  ];
  keboola.storage.createTable(PEOPLE, { columns: ["id", "name"], primaryKey: ["id"], rows });
  keboola.storage.createTable(LOG, { columns: ["id", "name"], rows });
  return keboola;
}

function storedRows(keboola: FakeKeboola, table: string): readonly string[] {
  const { rows } = keboola.storage.table(table);
  return rows.map(({ values }) => `${values.get("id")}=${values.get("name")}`).toSorted();
}

const SQL = "SELECT 'x, \"y\"\n' AS name, '2' AS id UNION ALL SELECT '', '3'";

describe("keboola: write()", () => {
  const modes = [
    ["append", LOG, true, ["1=one", "2=two", '2=x, "y"\n', "3="]],
    ["upsert", PEOPLE, true, ["1=one", '2=x, "y"\n', "3="]],
    ["replace", PEOPLE, false, ['2=x, "y"\n', "3="]],
  ] as const;
  for (const [mode, table, incremental, expected] of modes) {
    test(`imports rows with mode ${mode}`, async () => {
      const keboola = project();
      await using workspace = await openWritable(keboola);
      expect(await workspace.push({ table, sql: SQL, mode })).toMatchObject({ rows: 2, table, mode });
      expect(storedRows(keboola, table)).toEqual([...expected]);
      expect(importsOf(keboola)).toMatchObject([{ incremental, columns: ["id", "name"] }]);
    });
  }

  for (const provider of ["gcp", "aws", "azure", "https"] satisfies readonly FileProvider[]) {
    test(`uploads slices to the cloud of ${provider}, without the storage token`, async () => {
      const keboola = project({ provider });
      await using workspace = await openWritable(keboola);
      await workspace.push({ table: LOG, sql: SQL, mode: "replace" });
      const uploads = keboola.requestsOf("upload");
      expect(uploads.map(({ hasToken, method }) => [hasToken, method])).toEqual([
        [false, "PUT"],
        [false, "PUT"],
      ]);
      expect(uploads.map(({ url }) => /(_00000\.csv\.gz|manifest)(\?|$)/.test(url))).toEqual([true, true]);
      expect(keboola.leaks).toEqual([]);
      expect(storedRows(keboola, LOG)).toHaveLength(2);
    });
  }

  test("writes nothing in a dry run, and states what it would do", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    const report = await workspace.push({ table: PEOPLE, sql: SQL, mode: "replace", dryRun: true });
    expect(report).toMatchObject({ rows: 2, columns: ["id", "name"], dryRun: true });
    expect(keboola.requests.every(({ method }) => method === "GET")).toBe(true);
  });

  test("keeps a byte order mark at the start of a text", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    const sql =
      "SELECT chr(65279) || 'x' AS id, chr(65279) || 'y' AS name UNION ALL SELECT 'x', 'y' || chr(65279)";
    await workspace.push({ table: LOG, sql, mode: "replace" });
    expect(storedRows(keboola, LOG)).toEqual(["x=y\uFEFF", "\uFEFFx=\uFEFFy"]);
  });

  test("imports nothing for no rows, and empties the table in the mode replace", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    const sql = `${SQL} LIMIT 0`;
    expect(await workspace.push({ table: LOG, sql, mode: "append" })).toMatchObject({ rows: 0 });
    expect(keboola.requestsOf("prepare")).toEqual([]);
    expect(await workspace.push({ table: LOG, sql, mode: "replace" })).toMatchObject({ rows: 0 });
    expect(storedRows(keboola, LOG)).toEqual([]);
  });

  test("uploads large results in several slices", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    // 20 MB of CSV, and a slice has 16.
    const sql = "SELECT i::VARCHAR AS id, repeat('x', 1000) AS name FROM range(20000) AS t(i)";
    expect(await workspace.push({ table: LOG, sql, mode: "replace" })).toMatchObject({ rows: 20_000 });
    expect(keboola.requestsOf("upload")).toHaveLength(3);
    expect(keboola.storage.table(LOG).rowsCount).toBe(20_000);
  });

  test("renews credentials of Google that expire between slices", async () => {
    const keboola = project();
    keboola.onRequest((step, n) => void (step === "upload" && n === 1 && keboola.expireCredentials()));
    await using workspace = await openWritable(keboola);
    await workspace.push({ table: LOG, sql: SQL, mode: "append" });
    expect(storedRows(keboola, LOG)).toHaveLength(4);
    expect(keboola.requestsOf("file").map(({ method }) => method)).toEqual(["PUT"]);
  });

  test("writes to the branch of the options only", async () => {
    const keboola = project();
    const branch = keboola.createBranch(77);
    branch.createTable(PEOPLE, { columns: ["id", "name"], primaryKey: ["id"] });
    await using workspace = await openWritable(keboola, { write: true, branch: 77 });
    await workspace.push({ table: PEOPLE, sql: SQL, mode: "upsert" });
    expect(branch.table(PEOPLE).rowsCount).toBe(2);
    expect(storedRows(keboola, PEOPLE)).toEqual(["1=one", "2=two"]);
    for (const dryRun of [false, true])
      expect(await workspace.refusal({ table: LOG, sql: SQL, mode: "append", dryRun })).toMatchObject({
        code: "keboola/write_refused",
        message: `nothing was written to "${LOG}": branch 77 does not have it, and writing never falls back to the default branch`,
        hint: expect.stringContaining("remove `branch` from the options") as string,
      });
    // It is removed while the rows are uploaded.
    keboola.onRequest((step) => void (step === "import" && branch.drop(PEOPLE)));
    const removed = await workspace.refusal({ table: PEOPLE, sql: SQL, mode: "upsert" });
    expect(removed).toMatchObject({ code: "keboola/write_refused" });
    expect(removed.message).toContain("branch 77 does not have it");
    expect(storedRows(keboola, LOG)).toHaveLength(2);
    expect(storedRows(keboola, PEOPLE)).toEqual(["1=one", "2=two"]);
  });

  test("names a branch that the project does not have", async () => {
    await using workspace = await openWritable(project(), { write: true, branch: 99 });
    const error = await workspace.refusal({ table: LOG, sql: SQL, mode: "append", dryRun: true });
    expect([error.code, error.message]).toEqual(["keboola/branch_missing", "the project has no branch 99"]);
  });

  test("needs no permission for the bucket with a token for all buckets", async () => {
    const keboola = project();
    const bucketPermissions = { "out.c-main": "read" } as const;
    const token = keboola.createToken({ bucketPermissions, canManageBuckets: true });
    await using workspace = await openWritable(keboola, { write: true }, token);
    await workspace.push({ table: LOG, sql: SQL, mode: "append" });
    expect(storedRows(keboola, LOG)).toHaveLength(4);
  });
});

describe("keboola: write() refuses", () => {
  test("everything unless the options allow it, also a dry run, before any request", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola, {});
    const error = await workspace.refusal({ table: LOG, sql: SQL, mode: "append", dryRun: true });
    expect([error.code, error.hint]).toEqual([
      "keboola/write_off",
      "Set `write: true` in the options of the source.",
    ]);
    expect(keboola.requests).toEqual([]);
  });

  test("to append to a table with a key, to update one without, and tables that are not stored", async () => {
    const keboola = project();
    keboola.storage.createAlias("out.c-main.named", LOG);
    await using workspace = await openWritable(keboola);
    const refusal = (table: string, mode: "append" | "upsert") =>
      workspace.refusal({ table, sql: SQL, mode, dryRun: true });
    const errors = [
      await refusal(PEOPLE, "append"),
      await refusal(LOG, "upsert"),
      await refusal("out.c-main.named", "append"),
    ];
    expect(errors.map(({ code }) => code)).toEqual(Array(3).fill("keboola/write_refused"));
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringContaining("it would update the rows whose key exists"),
      expect.stringContaining("no primary key"),
      expect.stringContaining("an alias"),
    ] as string[]);
    expect((await refusal("out.c-main.none", "append")).code).toBe("write_refused");
  });

  test("keys that occur twice, of which Keboola would keep any row, and imports nothing", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    const sql = "SELECT '1' AS id, 'a' AS name UNION ALL SELECT '1', 'b'";
    for (const mode of ["upsert", "replace"] as const)
      expect((await workspace.refusal({ table: PEOPLE, sql, mode })).code).toBe("write_refused");
    expect(keboola.requestsOf("import")).toEqual([]);
    expect(storedRows(keboola, PEOPLE)).toEqual(["1=one", "2=two"]);
  });

  test("a token that only reads", async () => {
    const keboola = project();
    const token = keboola.createToken({ bucketPermissions: { "out.c-main": "read" } });
    await using workspace = await openWritable(keboola, { write: true }, token);
    for (const dryRun of [true, false]) {
      const error = await workspace.refusal({ table: LOG, sql: SQL, mode: "append", dryRun });
      expect([error.code, error.message]).toEqual([
        "keboola/write_denied",
        `the token in KEBOOLA_STORAGE_TOKEN may not write to "${LOG}": its permission for the bucket out.c-main is \`read\``,
      ]);
    }
    expect(keboola.requests.every(({ method }) => method === "GET")).toBe(true);
    expect(storedRows(keboola, LOG)).toHaveLength(2);
  });

  test("a token whose permission is not known, as soon as the stack does", async () => {
    for (const step of ["prepare", "import"] as const) {
      const keboola = project();
      keboola.onRequest((one) => (one === step ? { kind: "status", status: 403 } : undefined));
      await using workspace = await openWritable(keboola);
      const error = await workspace.refusal({ table: LOG, sql: SQL, mode: "append" });
      expect([step, error.code]).toEqual([step, "keboola/write_denied"]);
    }
  });

  test("a table whose columns changed after the rows were checked", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    let details = 0;
    keboola.onRequest((step) => {
      if (step === "table" && ++details === 2) keboola.storage.table(LOG).addColumn("more");
      return undefined;
    });
    const error = await workspace.refusal({ table: LOG, sql: SQL, mode: "append" });
    expect(error.message).toContain("its columns changed meanwhile");
  });
});

describe("keboola: write() after faults", () => {
  test("repeats an import after a lost response, except one that appends", async () => {
    for (const [mode, table] of [
      ["replace", LOG],
      ["upsert", PEOPLE],
      ["append", LOG],
    ] as const) {
      const keboola = project();
      keboola.onRequest((step, n) => (step === "import" && n === 1 ? { kind: "lost response" } : undefined));
      await using workspace = await openWritable(keboola);
      if (mode === "append") {
        const error = await workspace.refusal({ table, sql: SQL, mode });
        expect(error.code).toBe("keboola/import_unknown");
        expect(keboola.requestsOf("import")).toHaveLength(1);
      } else {
        await workspace.push({ table, sql: SQL, mode });
        expect(keboola.requestsOf("import")).toHaveLength(2);
        expect(storedRows(keboola, table)).toHaveLength(mode === "replace" ? 2 : 3);
      }
    }
  });

  test("repeats each other step, and an import that was not processed", async () => {
    for (const step of ["prepare", "upload", "job", "import"] as const) {
      const keboola = project();
      keboola.onRequest((one, n) => (one === step && n === 1 ? { kind: "status", status: 503 } : undefined));
      await using workspace = await openWritable(keboola);
      await workspace.push({ table: LOG, sql: SQL, mode: "append" });
      expect([step, storedRows(keboola, LOG).length]).toEqual([step, 4]);
    }
  });

  test("names the job that failed, and the one that is lost", async () => {
    const keboola = project();
    await using workspace = await openWritable(keboola);
    keboola.onRequest((step) =>
      step === "job" ? { kind: "job error", message: "warehouse is off" } : undefined,
    );
    const failed = await workspace.refusal({ table: LOG, sql: SQL, mode: "append" });
    expect([failed.code, failed.message]).toEqual([
      "keboola/import_failed",
      expect.stringContaining("failed in Keboola: warehouse is off"),
    ] as string[]);
    keboola.onRequest((step) => (step === "job" ? { kind: "job lost" } : undefined));
    const lost = await workspace.refusal({ table: LOG, sql: SQL, mode: "append" });
    expect(lost.code).toBe("keboola/import_unknown");
  });

  test("says in each mode that the end is unknown, whatever prevents to see it, and never to run it again", async () => {
    const faults = [
      { kind: "reset" },
      { kind: "status", status: 500 },
      { kind: "cut body", bytes: 5 },
      { kind: "job lost" },
    ] as const;
    for (const step of ["import", "job"] as const)
      for (const fault of faults.slice(0, step === "import" ? 3 : 4))
        for (const [mode, table] of [
          ["replace", LOG],
          ["upsert", PEOPLE],
          ["append", LOG],
        ] as const) {
          const keboola = project();
          keboola.onRequest((one) => (one === step ? fault : undefined));
          await using workspace = await openWritable(keboola);
          const error = await workspace.refusal({ table, sql: SQL, mode });
          expect([step, fault.kind, mode, error.code, error.retry]).toEqual([
            step,
            fault.kind,
            mode,
            "keboola/import_unknown",
            "permanent",
          ]);
          expect(error.hint).toStartWith("Check the table and its jobs in Keboola");
        }
  });

  test("shows no token and no signature of a cloud that refuses the rows", async () => {
    const keboola = project({ provider: "azure" });
    keboola.onRequest((step) => (step === "upload" ? { kind: "status", status: 403 } : undefined));
    await using workspace = await openWritable(keboola);
    const error = await workspace.refusal({ table: LOG, sql: SQL, mode: "append" });
    expect(error.code).toBe("keboola/upload_refused");
    const texts = `${error.message} ${JSON.stringify(error.details)} ${String(error.cause)}`;
    for (const secret of [keboola.token, "sig="]) expect(texts).not.toContain(secret);
    expect(keboola.requestsOf("import")).toEqual([]);
  });
});

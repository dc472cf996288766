import { describe, expect, test } from "bun:test";
import { join } from "node:path";

import { createAgnes } from "agnes";
import { defineErrors, definePlugin, errorSpec, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";

import { AgnesError, isAgnesError, type ErrorCode } from "../../lib/base/mod.ts";
import { errorCodes } from "../../lib/base/errors/codes.ts";
import { duckdbError } from "../../lib/duckdb/errors.ts";
import { rebuildAnalytics } from "../../lib/analytics/rebuild.ts";
import { openQuerySession } from "../../lib/query/mod.ts";
import { queryFailure } from "../../lib/query/failure.ts";
import { temporaryData, writeExtract } from "../analytics/extract-files.ts";
import { rowsOf, testServices } from "./published.ts";
import { temporaryFolder } from "../sync/workspace.ts";

/** The name of a table, a column, or a value that the caller may not see. */
const OTHER = "secret_pay";
const ACCESS = new Set(["wh.orders"]);

const errors = defineErrors("leaky", {
  /** A code whose texts have all details, and which is an error in the data of a source. */
  any: errorSpec<object>({
    isDataError: true,
    status: 403,
    retry: "transient",
    message: (d) => `failed: ${JSON.stringify(d)}`,
    hint: (d) => `Correct ${JSON.stringify(d)}.`,
  }),
});

/** What connectors may throw: each kind of detail in which a name may be. */
const THROWN: Readonly<Record<string, () => AgnesError>> = {
  table: () => errors.any({ table: OTHER }),
  tableCommand: () => errors.any({ tableCommand: { update: `agnes table update ${OTHER}` } }),
  reason: () => errors.any({ table: "wh.orders", reason: `a view of ${OTHER}` }),
  known: () => errors.any({ known: [OTHER] }),
  alias: () => errors.any({ alias: OTHER }),
  source: () => errors.any({ source: OTHER }),
  "the name of a detail": () => errors.any({ [OTHER]: 1 }),
  "texts without details": () =>
    errors.any({}).withDetails({}, { texts: { message: `no ${OTHER}`, hint: `Grant ${OTHER}.` } }),
  stoppedJobs: () => errors.any({ stoppedJobs: [OTHER] }),
  "file_unreadable inside": () =>
    new AgnesError("file_unreadable", { path: "/data/extracts/x.parquet", reason: `column ${OTHER}` }),
  "file_unreadable outside": () =>
    new AgnesError("file_unreadable", { path: `${OTHER}.csv`, reason: `column ${OTHER}`, advice: OTHER }),
  file_value_invalid: () =>
    new AgnesError("file_value_invalid", { file: "a", line: 1, column: OTHER, value: OTHER, type: "INT" }),
  file_row_invalid: () =>
    new AgnesError("file_row_invalid", { file: "a", line: 1, reason: "r", text: OTHER }),
  file_reading_outdated: () => new AgnesError("file_reading_outdated", { file: "a", reason: OTHER }),
  file_failed: () => new AgnesError("file_failed", { operation: "read", path: OTHER, reason: "EACCES" }),
  source_path_empty: () => new AgnesError("source_path_empty", { path: OTHER }),
  aborted: () => new AgnesError("aborted", { what: `reading ${OTHER}` }),
  plugin_failed: () =>
    new AgnesError(
      "plugin_failed",
      {
        plugin: OTHER,
        source: "wh",
        operation: `read of ${OTHER}`,
        table: OTHER,
        reason: OTHER,
        code: OTHER,
        advice: OTHER,
      },
      { retry: "transient" },
    ),
  "plugin_failed of another source": () =>
    new AgnesError("plugin_failed", { plugin: "p", source: OTHER, operation: "read", reason: "r" }),
  "errors of columns": () =>
    new AgnesError("batch_schema_mismatch", { table: "orders", batch: 1, differences: [OTHER] }),
  "errors of values": () => new AgnesError("bad_value", { table: "orders", reason: OTHER }),
  "errors of types": () => new AgnesError("type_unsupported", { column: OTHER, type: "X" }),
  "errors of secrets": () =>
    new AgnesError("secret_missing", { source: "wh", variables: [OTHER], descriptions: [] }),
  "errors of plugins": () => new AgnesError("plugin_unknown", { plugin: "p", known: [OTHER] }),
  analytics_unreadable: () => new AgnesError("analytics_unreadable", { path: "a.duckdb", reason: OTHER }),
  remote_unavailable: () =>
    new AgnesError("remote_unavailable", { table: "wh.orders", reason: `Did you mean "${OTHER}"?` }),
};

const textOf = (error: AgnesError) => JSON.stringify([error.message, error.hint, error.details]);
const scope = { dataDirectory: "/data", home: null, secrets: [] };

describe("an error of a query for a caller with limited access", () => {
  test.each(Object.entries(THROWN))("has no text of a source in %s", (_name, make) => {
    const thrown = make();
    const hidden = queryFailure(thrown, { ...scope, access: ACCESS }) as AgnesError;
    const { code, retry, status } = thrown;
    expect(hidden).toMatchObject({ code, retry, status });
    expect(textOf(hidden)).not.toContain(OTHER);
    if (thrown.code !== "file_unreadable")
      expect(textOf(queryFailure(thrown, { ...scope, access: null }) as AgnesError)).toContain(OTHER);
  });

  test("has texts and details of no other code than those that Agnes makes of the SQL", () => {
    const kept = (isDataError: boolean) =>
      Object.keys(errorCodes).filter((code) => {
        const spec = errorSpec<object>({ isDataError, message: () => OTHER, hint: () => OTHER });
        const texts = { operation: OTHER, path: OTHER, reason: OTHER, table: OTHER, what: OTHER };
        const details = { ...texts, kind: "Binder Error" } as never;
        const thrown = new AgnesError(code as ErrorCode, details, { spec });
        const hidden = queryFailure(thrown, { ...scope, access: ACCESS }) as AgnesError;
        return textOf(hidden).includes(OTHER);
      });
    expect(kept(true)).toEqual([]);
    expect(kept(false).sort()).toEqual([
      "alias_access_denied",
      "alias_limit_exceeded",
      "alias_refused",
      "capability_missing",
      "duckdb_busy",
      "duckdb_failed",
      "duckdb_out_of_memory",
      "duckdb_stuck",
      "extract_changed",
      "invalid_identifier",
      "invalid_input",
      "parameters_invalid",
      "queries_waiting",
      "query_lost",
      "query_memory_exceeded",
      "remote_unavailable",
      "rows_not_read",
      "sql_failed",
      "sql_malformed",
      "sql_not_allowed",
      "sql_too_long",
      "table_unknown",
      "table_vanished",
      "timed_out",
      "validator_rejected",
    ]);
  });

  test("advises to try again only if the same query may succeed later", () => {
    const hintOf = (thrown: AgnesError) =>
      (queryFailure(thrown, { ...scope, access: ACCESS }) as AgnesError).hint;
    const permanent = new AgnesError("source_path_empty", { path: OTHER });
    expect(hintOf(permanent)).toBe("Ask an administrator to run the query.");
    expect(hintOf(THROWN["table"]!())).toBe("Try again later, or ask an administrator to run the query.");
  });

  test("names its source if the caller may access a table of it", () => {
    const hidden = queryFailure(THROWN["plugin_failed"]!(), { ...scope, access: ACCESS }) as AgnesError;
    expect(hidden).toMatchObject({
      message: "source wh failed: only callers with access to all tables get the reason",
      details: { source: "wh" },
    });
    const unnamed = queryFailure(THROWN["table"]!(), { ...scope, access: ACCESS }) as AgnesError;
    expect(unnamed).toMatchObject({
      message: "the query failed with leaky/any: only callers with access to all tables get the reason",
      details: {},
    });
  });

  test("of DuckDB has its text if it is about the statement, and suggests no names of tables", () => {
    const messageOf = (thrown: string) => {
      const error = duckdbError(new Error(thrown), "SELECT 1");
      return textOf(queryFailure(error, { ...scope, access: ACCESS }) as AgnesError);
    };
    expect(messageOf(`IO Error: relation "${OTHER}" does not exist`)).not.toContain(OTHER);
    expect(messageOf(`Permission Error: no access to ${OTHER}`)).not.toContain(OTHER);
    for (const kind of ["Table", "Type", "Schema"])
      expect(
        messageOf(`Catalog Error: ${kind} with name x does not exist!\nDid you mean "${OTHER}"?`),
      ).not.toContain(OTHER);
    expect(messageOf("Conversion Error: Could not convert string 'a' to INT32")).toContain("'a'");
    expect(
      messageOf("Parameter Not Allowed Error: Cannot perform list_reduce on an empty input list"),
    ).toContain("list_reduce");
    expect(
      messageOf('Catalog Error: Scalar Function with name flor does not exist!\nDid you mean "floor"?'),
    ).toContain("floor");
  });
});

test("no error of a view that another program wrote has a name or a value of the tables inside it", async () => {
  await using folder = await temporaryData();
  await writeExtract(folder.data, "erp", {
    tables: [
      { name: OTHER, object: `TABLE ${OTHER} AS SELECT 1 AS id, 's3cret' AS salary` },
      { name: "shown", object: `VIEW shown AS SELECT id, CAST(salary AS INT) AS n FROM ${OTHER}` },
    ],
  });
  await rebuildAnalytics(testServices(), { dataDirectory: folder.data, owners: null });
  await using session = openQuerySession(testServices(), { dataDirectory: folder.data });
  const failed = async (sql: string, access: ReadonlySet<string> | null) => {
    const error = await rowsOf(session, sql, { access }).catch((thrown: unknown) => thrown as AgnesError);
    return textOf(error as AgnesError);
  };
  const access = new Set(["erp.shown"]);
  for (const sql of ["FROM shown", "SUMMARIZE shown", "PIVOT shown ON n", "SELECT sum(n) FROM erp.shown"]) {
    expect(await failed(sql, access)).not.toMatch(/s3cret|salary/);
    expect(await failed(sql, null)).toContain("s3cret");
  }
  expect(await failed("SELECT nothing FROM shown", access)).toContain('Candidate bindings: \\"n\\"');
  const sample = await session.sampleTable("shown", 1, { access }).catch((thrown: unknown) => thrown);
  expect(textOf(sample as AgnesError)).not.toMatch(/s3cret|salary/);
});

/** A source whose live tables fail with the error of this name. */
const leaky = (name: () => string) =>
  definePlugin({
    name: "leaky",
    version: "1.0.0",
    description: "Fails",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    errors,
    connect: () => ({
      discover: async () => ["orders", OTHER].map((one) => table(one, { id: int64(), text: utf8() })),
      async *read() {
        yield [{ id: 1, text: "a" }];
        throw THROWN[name()]!();
      },
    }),
  });

test.each(["none", "process"] as const)(
  "no error of a live table has the name of another table for a limited caller (isolation: %s)",
  async (isolation) => {
    let name = "table";
    using folder = temporaryFolder();
    await Bun.write(
      join(folder.path, "agnes.yaml"),
      "version: 1\nsources: { wh: { plugin: leaky, options: {} } }\n",
    );
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [leaky(() => name)],
      isolation,
    });
    const registry = await agnes.tables();
    for (const sourceTable of ["orders", OTHER])
      await registry.register({ source: "wh", name: sourceTable, sourceTable, queryMode: "remote" });
    await agnes.sync();
    const failed = async (access: ReadonlySet<string> | null) => {
      try {
        await agnes.rows("SELECT * FROM wh.orders", { access });
      } catch (error) {
        if (isAgnesError(error)) return error;
        throw error;
      }
      throw new Error(`${name} did not fail`);
    };
    for (name of Object.keys(THROWN))
      expect([name, textOf(await failed(ACCESS))]).toEqual([name, expect.not.stringContaining(OTHER)]);
    name = "alias";
    expect(textOf(await failed(null))).toContain(OTHER);
  },
  60_000,
);

import { describe, expect, test } from "bun:test";

import type { TableInfo } from "agnes/kit";

import { typeOfField } from "../../plugins/keboola/tables/types.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { errorsOf, openProject, rejection } from "./support.ts";

const metadata = (provider: string, key: string, value: string) => ({ provider, key: `KBC.${key}`, value });

/** `name:type` of each column. */
const typesOf = (info: TableInfo | undefined) =>
  info!.schema.fields.map((field) => `${String(field.name)}:${typeOfField(field)}`);

describe("discover()", () => {
  test("describes untyped tables by their metadata, with one list call", async () => {
    const keboola = fakeKeboola();
    keboola.storage.createTable("in.c-crm.orders", {
      columns: ["2026", "id", "amount", "note"],
      primaryKey: ["id"],
      metadata: [metadata("user", "description", "All orders")],
      columnMetadata: {
        id: [metadata("user", "datatype.basetype", "INTEGER"), metadata("user", "description", "the number")],
        amount: [
          metadata("storage", "datatype.basetype", "STRING"),
          metadata("keboola.snowflake-transformation", "datatype.basetype", "NUMERIC"),
          metadata("keboola.snowflake-transformation", "datatype.length", "12,2"),
        ],
      },
      rows: [{ id: "1" }],
    });
    await using project = await openProject(keboola);
    const info = (await project.tables()).get("in.c-crm.orders")!;
    expect(typesOf(info)).toEqual(["2026:VARCHAR", "id:BIGINT", "amount:DECIMAL(12,2)", "note:VARCHAR"]);
    expect(info).toMatchObject({ primaryKey: ["id"], description: "All orders", estimatedRows: 1 });
    expect(info.schema.fields[1]!.metadata.get("description")).toBe("the number");
    expect(info.sourceMetadata).toEqual({
      kind: "table",
      bucket: "in.c-crm",
      stage: "in",
      isTyped: false,
      timestampType: "MANAGED",
      displayName: "orders",
      bucketName: "crm",
      backend: "snowflake",
    });
    expect(info.notes).toBeUndefined();
    expect(keboola.requests.map(({ step }) => step).toSorted()).toEqual(["buckets", "tables", "verify"]);
  });

  test("ignores what users wrote about typed tables, in a list too", async () => {
    const keboola = fakeKeboola();
    keboola.storage.createTable("in.c-crm.typed", {
      columns: [
        { name: "id", type: "NUMBER", length: "38,0" },
        { name: "amount", type: "NUMBER", length: "12,2" },
      ],
      primaryKey: ["id"],
      columnMetadata: {
        id: [
          metadata("user", "datatype.basetype", "STRING"),
          metadata("storage", "datatype.type", "NUMBER"),
          metadata("storage", "datatype.length", "38,0"),
        ],
        amount: [metadata("user", "datatype.basetype", "FLOAT")],
      },
    });
    await using project = await openProject(keboola);
    const info = (await project.tables()).get("in.c-crm.typed")!;
    // What the list does not tell is text until the table is read.
    expect(typesOf(info)).toEqual(["id:DECIMAL(38,0)", "amount:VARCHAR"]);
    const { signal } = new AbortController();
    const again = await project.handle.connector.redescribe!(info, { signal });
    expect(typesOf(again)).toEqual(["id:DECIMAL(38,0)", "amount:DECIMAL(12,2)"]);
    expect(again.schema.fields.map(({ nullable }) => nullable)).toEqual([true, true]);
  });

  test("describes 2,000 tables, 300 of them linked from another project, by list calls only", async () => {
    const keboola = fakeKeboola();
    const other = keboola.createProject({ id: 99, name: "Shared" });
    const integer = { id: [metadata("user", "datatype.basetype", "INTEGER")] };
    for (let n = 0; n < 1700; n += 1)
      keboola.storage.createTable(`in.c-own.t${n}`, { columns: ["id"], columnMetadata: integer });
    for (let n = 0; n < 300; n += 1)
      other.createTable(`out.c-shared.t${n}`, {
        columns: ["id"],
        columnMetadata: integer,
        metadata: [metadata("user", "description", `shared ${n}`)],
      });
    keboola.storage.linkBucket("in.c-linked", other, "out.c-shared");
    await using project = await openProject(keboola);
    const tables = await project.tables();
    expect(tables.size).toBe(2000);
    expect([...tables.values()].filter((info) => typesOf(info)[0] !== "id:BIGINT")).toEqual([]);
    expect(tables.get("in.c-linked.t7")).toMatchObject({
      description: "shared 7",
      sourceMetadata: { kind: "linked", sourceTable: "out.c-shared.t7", sourceProject: "99" },
    });
    expect(keboola.requestsOf("table")).toHaveLength(0);
    expect(keboola.requests.length).toBeLessThanOrEqual(3);
  });

  test("lists the buckets of a token for some buckets one by one", async () => {
    const keboola = fakeKeboola();
    for (const id of ["in.c-crm.orders", "in.c-crm.people", "in.c-hr.salaries", "out.c-mart.sales"])
      keboola.storage.createTable(id, { columns: ["id"] });
    const token = keboola.createToken({
      bucketPermissions: { "in.c-crm": "read", "out.c-mart": "read", "in.c-dropped": "read" },
    });
    await using project = await openProject(keboola, {}, { token });
    expect([...(await project.tables()).keys()]).toEqual([
      "in.c-crm.orders",
      "in.c-crm.people",
      "out.c-mart.sales",
    ]);
    expect(project.log.entries.some(({ message }) => message.includes("in.c-dropped"))).toBe(true);
  });

  test("fails if no bucket of the token can be listed", async () => {
    const keboola = fakeKeboola();
    const token = keboola.createToken({ bucketPermissions: { "in.c-dropped": "read" } });
    await using project = await openProject(keboola, {}, { token });
    expect(await rejection(project.tables())).toMatchObject({ code: "keboola/access_denied" });
  });

  test("fails if one bucket of the token fails for another reason", async () => {
    const keboola = fakeKeboola({
      onRequest: (step) => (step === "bucket tables" ? { kind: "status", status: 501 } : undefined),
    });
    keboola.storage.createTable("in.c-crm.orders", { columns: ["id"] });
    const token = keboola.createToken({ bucketPermissions: { "in.c-crm": "read" } });
    await using project = await openProject(keboola, {}, { token });
    expect(await rejection(project.tables())).toMatchObject({ code: "keboola/request_refused" });
  });

  test("selects buckets by patterns", async () => {
    const keboola = fakeKeboola();
    for (const id of ["in.c-crm.a", "in.c-crm-old.b", "out.c-crm.c"])
      keboola.storage.createTable(id, { columns: ["id"] });
    await using project = await openProject(keboola, { buckets: { include: ["in.*"], exclude: ["*-old"] } });
    expect([...(await project.tables()).keys()]).toEqual(["in.c-crm.a"]);
  });

  test("lists a table that it cannot describe with its problem", async () => {
    const keboola = fakeKeboola();
    keboola.storage.createTable("in.c-crm.good", { columns: ["id"] });
    keboola.storage.createTable("in.c-crm.empty", { columns: [] });
    keboola.storage.createTable("in.c-crm.twice", { columns: ["Id", "id"] });
    await using project = await openProject(keboola);
    const tables = await project.tables();
    expect(tables.get("in.c-crm.good")!.problem).toBeUndefined();
    expect(tables.get("in.c-crm.empty")!.problem).toMatchObject({ code: "keboola/table_invalid" });
    expect(tables.get("in.c-crm.twice")!.problem!.message).toContain("Id and id differ only in case");
  });

  test("accepts counts that are null and metadata that is an empty list", async () => {
    const keboola = fakeKeboola();
    keboola.storage.createTable("in.c-crm.new", { columns: ["id"], rowsCount: null, dataSizeBytes: null });
    keboola.storage.createTable("in.c-crm.data", { columns: ["id"], rows: [{ id: "1" }] });
    keboola.storage.createAlias("in.c-crm.alias", "in.c-crm.data", {
      filter: { column: "id", values: ["1"] },
    });
    await using project = await openProject(keboola);
    const tables = await project.tables();
    expect(tables.get("in.c-crm.new")!.estimatedRows).toBeUndefined();
    expect(tables.get("in.c-crm.alias")).toMatchObject({
      sourceMetadata: { kind: "alias", aliasFilter: { column: "id", operator: "eq", values: ["1"] } },
    });
    const { signal } = new AbortController();
    const [fresh, data] = await project.handle.connector.metadata!(
      [tables.get("in.c-crm.new")!, tables.get("in.c-crm.data")!],
      { signal },
    );
    expect(fresh).toMatchObject({ name: "in.c-crm.new", entityType: "table" });
    // Unknown is not zero.
    expect(fresh).not.toHaveProperty("rows");
    expect(fresh).not.toHaveProperty("sizeBytes");
    expect(data).toMatchObject({ rows: 1, sizeBytes: 1024, columns: [{ name: "id", type: "STRING" }] });
    expect(data!.modifiedAt).toBeInstanceOf(Date);
  });

  test("notes external buckets, views and tables without _timestamp", async () => {
    const keboola = fakeKeboola();
    keboola.storage.createBucket("in.c-byodb", { isExternal: true });
    keboola.storage.createTable("in.c-byodb.rows", { columns: ["id"], rows: [] });
    keboola.storage.createTable("in.c-crm.view", { columns: ["id"], tableType: "view", rows: [] });
    keboola.storage.createTable("in.c-crm.untimed", { columns: ["id"], timestampType: "NONE", rows: [] });
    await using project = await openProject(keboola);
    const tables = await project.tables();
    expect(tables.get("in.c-byodb.rows")!.notes![0]).toContain("external bucket");
    expect(tables.get("in.c-crm.view")!.notes![0]).toContain("is a view");
    expect(tables.get("in.c-crm.untimed")!.notes![0]).toContain("_timestamp");
    const { signal } = new AbortController();
    const [external] = await project.handle.connector.metadata!([tables.get("in.c-byodb.rows")!], { signal });
    expect(external).toMatchObject({ entityType: "external" });
    expect(external).not.toHaveProperty("rows");
  });

  test("adds the tables of the default branch to those of a branch, and says so", async () => {
    const keboola = fakeKeboola();
    const branch = keboola.createBranch(123);
    keboola.storage.createTable("in.c-crm.orders", { columns: ["id"] });
    keboola.storage.createTable("in.c-crm.people", { columns: ["id"] });
    branch.createTable("in.c-crm.orders", { columns: ["id", "extra"] });
    await using project = await openProject(keboola, { branch: 123 });
    const tables = await project.tables();
    expect(typesOf(tables.get("in.c-crm.orders"))).toEqual(["id:VARCHAR", "extra:VARCHAR"]);
    expect(tables.get("in.c-crm.orders")!.notes).toBeUndefined();
    expect(tables.get("in.c-crm.people")!.notes).toEqual([
      "branch 123 does not have it, so it is read from the default branch",
    ]);
    const stats = await project.sync({ "in.c-crm.people": {}, "in.c-crm.orders": {} });
    expect(errorsOf(stats)).toEqual([]);
    expect(stats.tablesExtracted).toBe(2);
    expect(
      keboola
        .requestsOf("export")
        .map(({ url }) => new URL(url).pathname)
        .toSorted(),
    ).toEqual([
      "/v2/storage/branch/123/tables/in.c-crm.orders/export-async",
      "/v2/storage/tables/in.c-crm.people/export-async",
    ]);
  });

  test("lists the buckets of a scoped token that a branch does not have from the default branch", async () => {
    const keboola = fakeKeboola();
    keboola.createBranch(123);
    keboola.storage.createTable("in.c-crm.orders", { columns: ["id"] });
    const token = keboola.createToken({ bucketPermissions: { "in.c-crm": "read" } });
    await using project = await openProject(keboola, { branch: 123 }, { token });
    expect([...(await project.tables()).keys()]).toEqual(["in.c-crm.orders"]);
  });
});

describe("health()", () => {
  const health = async (options: Record<string, unknown> = {}, expires: Date | null = null) => {
    const keboola = fakeKeboola();
    const token = keboola.createToken({ expires });
    await using project = await openProject(keboola, options, { token });
    const { signal } = new AbortController();
    const found = await project.handle.connector.health!({ signal });
    return found;
  };

  test("names the project, its region and when the token expires", async () => {
    expect(await health()).toEqual({
      ok: true,
      message:
        "the token can read project Test Project (8625) in us-east-1 at https://connection.keboola.test; it does not expire",
    });
    expect((await health({}, new Date("2026-06-15T08:00:00Z"))).message).toEndWith(
      "; it expires on 2026-06-15",
    );
  });

  test("warns from 14 days before the token expires", async () => {
    expect((await health({}, new Date("2026-06-14T12:00:00Z"))).message).toContain(
      "WARNING: it expires in 13 days, on 2026-06-14",
    );
    expect((await health({}, new Date("2026-06-01T09:00:00Z"))).message).toContain("in less than a day");
  });

  test("fails with a token that is rejected, and with one of another project", async () => {
    expect(await rejection(health({}, new Date("2026-05-01T00:00:00Z")))).toMatchObject({
      code: "keboola/token_rejected",
    });
    const error = await rejection(health({ projectId: "1" }));
    expect(error).toMatchObject({ code: "keboola/project_mismatch" });
    expect(error.message).toContain('belongs to project 8625 ("Test Project"), not to project 1');
    expect(await health({ projectId: 8625 })).toMatchObject({ ok: true });
  });

  test("names the branch of the options, and fails if the project does not have it", async () => {
    const keboola = fakeKeboola();
    keboola.createBranch(77, "pricing");
    const { signal } = new AbortController();
    const healthIn = async (branch: number) => {
      await using project = await openProject(keboola, { branch });
      return await project.handle.connector.health!({ signal });
    };
    expect((await healthIn(77)).message).toContain(
      " at https://connection.keboola.test, branch 77 (pricing); it does not expire",
    );
    expect(await rejection(healthIn(78))).toMatchObject({
      code: "keboola/branch_missing",
      message: "the project has no branch 78",
      hint: "Correct or remove `branch` in the options of the source, and check it with `agnes connector health`.",
    });
    // Not known is not missing.
    keboola.onRequest((step) => (step === "branches" ? { kind: "status", status: 403 } : undefined));
    expect(await healthIn(77)).toMatchObject({
      ok: true,
      message: expect.stringContaining(", branch 77, which the token may not check;") as string,
    });
  });
});

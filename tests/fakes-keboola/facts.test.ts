import { describe, expect, test } from "bun:test";

import { fakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { call, exportTable, fileOf, pick, type Json } from "./support.ts";

const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[12]00$/;

/** The names of types of the fields of an answer. */
function typesOf(value: unknown): Readonly<Record<string, string>> {
  const nameOf = (one: unknown) => (one === null ? "null" : Array.isArray(one) ? "list" : typeof one);
  return Object.fromEntries(Object.entries(value as Json).map(([name, one]) => [name, nameOf(one)]));
}

function project(script: KeboolaScript = {}) {
  const keboola = fakeKeboola(script);
  keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
  const { storage } = keboola;
  storage.createBucket("in.c-main", { description: "Main project storage" });
  const orders = storage.createTable("in.c-main.orders", {
    columns: ["id", "amount"],
    primaryKey: ["id"],
    rows: [{ id: "1", amount: "9" }],
    metadata: [{ key: "KBC.description", value: "All orders" }],
    columnMetadata: { amount: [{ key: "KBC.datatype.basetype", value: "NUMERIC" }] },
  });
  const bare = storage.createTable("in.c-main.bare", {
    columns: ["id"],
    rowsCount: null,
    dataSizeBytes: null,
  });
  return { keboola, storage, orders, bare };
}

/** The fields of a table in recorded and documented lists, with their types. */
const TABLE_FACTS = {
  uri: "string",
  id: "string",
  name: "string",
  displayName: "string",
  transactional: "boolean",
  primaryKey: "list",
  created: "string",
  isAlias: "boolean",
  isAliasable: "boolean",
  isTyped: "boolean",
  timestampType: "string",
  tableType: "string",
  path: "string",
};

describe("fakeKeboola() answers as recorded and documented:", () => {
  test("the token with its project and limits", async () => {
    const { keboola } = project({ jobsParallelism: 2 });
    const { body } = await call(keboola, "/tokens/verify");
    expect(typesOf(body)).toMatchObject({
      id: "string",
      created: "string",
      description: "string",
      uri: "string",
      isMasterToken: "boolean",
      canManageBuckets: "boolean",
      canReadAllFileUploads: "boolean",
      expires: "null",
      isExpired: "boolean",
      isDisabled: "boolean",
      dailyCapacity: "number",
      token: "string",
      bucketPermissions: "object",
      owner: "object",
      organization: "object",
      admin: "object",
    });
    expect(typesOf(body["owner"])).toMatchObject({
      id: "number",
      name: "string",
      type: "string",
      region: "string",
      features: "list",
      dataSizeBytes: "number",
      rowsCount: "number",
      hasSnowflake: "boolean",
      hasBigquery: "boolean",
      defaultBackend: "string",
      hasTryModeOn: "string",
      limits: "object",
      isDisabled: "boolean",
      fileStorageProvider: "string",
    });
    const limit = { name: "storage.jobsParallelism", value: 2 };
    expect(pick<Json>(body, "owner", "limits")["storage.jobsParallelism"]).toEqual(limit);
    expect(body["bucketPermissions"]).toEqual({ "in.c-main": "manage" });
    const asText = await call(project({ projectId: "58" }).keboola, "/tokens/verify");
    expect(pick<string>(asText.body, "owner", "id")).toBe("58");
  });

  test("buckets, with the source of linked ones", async () => {
    const { keboola, storage } = project();
    const other = keboola.createProject({ id: 123, name: "Other" });
    other.createBucket("in.c-shared", { description: "Organization shared data" });
    storage.linkBucket("in.c-linked", other, "in.c-shared");
    const { body } = await call(keboola, "/buckets");
    const [main, linked] = body as unknown as readonly Json[];
    expect(typesOf(main)).toMatchObject({
      uri: "string",
      id: "string",
      name: "string",
      stage: "string",
      description: "string",
      tables: "string",
      created: "string",
      isReadOnly: "boolean",
      dataSizeBytes: "number",
      rowsCount: "number",
      isMaintenance: "boolean",
      backend: "string",
      hasExternalSchema: "boolean",
      sharing: "null",
    });
    expect(main).toMatchObject({ id: "in.c-main", name: "c-main", stage: "in", isLinkedBucket: false });
    expect(linked).toMatchObject({
      isLinkedBucket: true,
      isReadOnly: true,
      sourceBucket: { id: "in.c-shared", name: "c-shared", project: { id: 123, name: "Other" } },
    });
    expect(pick<string>(main, "created")).toMatch(DATE);
  });

  test("tables of a list, with what the request includes", async () => {
    const { keboola } = project();
    const { body } = await call(keboola, "/tables");
    const [orders, bare] = body as unknown as readonly Json[];
    const counted = { ...TABLE_FACTS, rowsCount: "number", dataSizeBytes: "number", metadata: "list" };
    const dated = { lastImportDate: "string", lastChangeDate: "string" };
    expect(typesOf(orders)).toEqual({ ...counted, ...dated });
    expect(typesOf(bare)).toMatchObject({ rowsCount: "null", dataSizeBytes: "null", lastImportDate: "null" });
    const all = await call(
      keboola,
      "/tables?include=columns,metadata,columnMetadata,sourceColumnMetadata,buckets",
    );
    const [full, empty] = all.body as unknown as readonly Json[];
    expect(typesOf(full)).toMatchObject({ columns: "list", bucket: "object", columnMetadata: "object" });
    expect(pick<readonly Json[]>(full, "columnMetadata", "amount")).toEqual([
      {
        id: expect.any(String),
        key: "KBC.datatype.basetype",
        value: "NUMERIC",
        provider: "user",
        timestamp: "2026-11-25T10:00:00+0100",
      },
    ]);
    expect(empty!["columnMetadata"]).toEqual([]);
    expect(full).not.toHaveProperty("definition");
  });

  test("a table in detail, with a definition only if it has types", async () => {
    const { keboola, storage } = project();
    storage.createTable("in.c-main.typed", {
      columns: [
        { name: "id", type: "NUMBER", length: "38,0" },
        { name: "price", type: "NUMBER", length: "38,9" },
        { name: "note", type: "VARCHAR", length: 16_777_216 },
      ],
      primaryKey: ["id"],
    });
    const { body } = await call(keboola, "/tables/in.c-main.typed");
    const column = (name: string, type: string, length: unknown, nullable: boolean, basetype: string) => ({
      name,
      definition: { type, nullable, length },
      basetype,
      canBeFiltered: true,
    });
    expect(body["definition"]).toEqual({
      primaryKeysNames: ["id"],
      columns: [
        column("id", "NUMBER", "38,0", false, "INTEGER"),
        column("price", "NUMBER", "38,9", true, "NUMERIC"),
        column("note", "VARCHAR", 16_777_216, true, "STRING"),
      ],
      requirePartitionFilter: false,
    });
    expect(body).toMatchObject({ isTyped: true, columns: ["id", "price", "note"], columnMetadata: [] });
    const untyped = await call(keboola, "/tables/in.c-main.orders");
    expect(untyped.body).not.toHaveProperty("definition");
    expect(pick<string>(untyped.body, "bucket", "id")).toBe("in.c-main");
  });

  test("aliases, also of a linked bucket, with the types of their source", async () => {
    const { keboola, storage, orders } = project();
    const filter = { column: "id", values: ["1"] };
    const alias = storage.createAlias("out.c-main.some", "in.c-main.orders", { filter, columns: ["id"] });
    const other = keboola.createProject({ id: 578, name: "Some source project" });
    other.createTable("in.c-shared.data", {
      columns: ["n"],
      columnMetadata: { n: [{ key: "KBC.datatype.basetype", value: "INTEGER" }] },
    });
    storage.linkBucket("in.c-linked", other, "in.c-shared");
    const { body } = await call(keboola, "/tables?include=columns,columnMetadata,sourceColumnMetadata");
    const tables = new Map((body as unknown as readonly Json[]).map((one) => [one["id"], one]));
    expect(tables.get("out.c-main.some")).toMatchObject({
      isAlias: true,
      aliasColumnsAutoSync: false,
      aliasFilter: { column: "id", operator: "eq", values: ["1"] },
      columns: ["id"],
      rowsCount: null,
      columnMetadata: [],
      sourceTable: { id: orders.id, isAlias: false, project: { id: 8625 } },
    });
    expect(tables.get("in.c-linked.data")).toMatchObject({
      isAlias: true,
      columns: ["n"],
      sourceTable: { project: { id: 578 }, columnMetadata: { n: [{ value: "INTEGER" }] } },
    });
    const before = (await call(keboola, `/tables/${alias.id}`)).body;
    alias.changeAlias({ filter: { column: "id", values: ["2"] } });
    const after = (await call(keboola, `/tables/${alias.id}`)).body;
    expect(after["lastChangeDate"]).toBe(before["lastChangeDate"]);
    expect(alias.rows).toHaveLength(0);
  });

  test("views and external tables, whose dates move when they are refreshed", async () => {
    const { keboola, storage } = project();
    const host = keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
    storage.createBucket("in.c-external", { isExternal: true });
    const external = storage.createTable("in.c-external.data", { columns: ["id"] });
    const view = storage.createTable("in.c-main.view", { columns: ["id"], tableType: "view" });
    for (const table of [external, view]) {
      const before = table.lastChange;
      host.advance(60_000);
      table.load([{ id: "1" }], { mode: "truncate" });
      expect(table.lastChange).toEqual(before);
      table.refresh();
      expect(table.lastChange).toEqual(host.now());
    }
    const { body } = await call(keboola, "/buckets/in.c-external");
    expect(body["hasExternalSchema"]).toBe(true);
  });

  test("files, with the fields of the blueprint", async () => {
    const { keboola } = project({ provider: "aws" });
    const job = await exportTable(keboola, "in.c-main.orders");
    const { body } = await call(keboola, `/files/${fileOf(job)}`);
    expect(typesOf(body)).toEqual({
      id: "number",
      created: "string",
      isPublic: "boolean",
      isSliced: "boolean",
      isEncrypted: "boolean",
      name: "string",
      fileType: "string",
      url: "string",
      provider: "string",
      region: "string",
      sizeBytes: "number",
      tags: "list",
      maxAgeDays: "number",
      runId: "null",
      runIds: "list",
      creatorToken: "object",
    });
  });

  test("jobs, with the fields of recorded ones", async () => {
    const { keboola } = project();
    const job = await exportTable(keboola, "in.c-main.orders");
    expect(typesOf(job)).toEqual({
      id: "number",
      status: "string",
      url: "string",
      tableId: "string",
      operationName: "string",
      operationParams: "object",
      createdTime: "string",
      startTime: "string",
      endTime: "string",
      runId: "null",
      results: "object",
      creatorToken: "object",
      metrics: "object",
    });
    expect(pick<string>(job, "endTime")).toMatch(DATE);
  });

  test("earlier stacks, without fields that came later", async () => {
    const { keboola } = project({ answers: "recorded", provider: "aws" });
    const { body } = await call(keboola, "/tables?include=buckets");
    const [orders] = body as unknown as readonly Json[];
    const fields = ["uri", "id", "name", "transactional", "primaryKey", "created", "lastImportDate"].concat([
      "lastChangeDate",
      "rowsCount",
      "dataSizeBytes",
      "isAlias",
      "bucket",
    ]);
    expect(Object.keys(orders!).toSorted()).toEqual(fields.toSorted());
    const bucket = [
      "uri",
      "id",
      "name",
      "stage",
      "description",
      "tables",
      "created",
      "lastChangeDate",
    ].concat(["isReadOnly", "dataSizeBytes", "rowsCount", "isMaintenance", "backend", "sharing"]);
    expect(Object.keys(pick<Json>(orders, "bucket")).toSorted()).toEqual(bucket.toSorted());
    const job = await exportTable(keboola, "in.c-main.orders");
    const file = await call(keboola, `/files/${fileOf(job)}?federationToken=1`);
    expect(file.body).not.toHaveProperty("provider");
    expect(file.body).toHaveProperty("s3Path");
  });

  test("the index without a token, and errors with a code", async () => {
    const { keboola } = project();
    const index = await keboola.fetch(`${keboola.stack}/v2/storage`);
    expect(await index.json()).toMatchObject({ api: "storage", version: "v2" });
    const wrong = await call(keboola, "/tokens/verify", { token: "8625-wrong" });
    expect([wrong.status, wrong.body["code"]]).toEqual([401, "storage.tokenInvalid"]);
    const missing = await call(keboola, "/tables/in.c-main.nothing");
    expect([missing.status, missing.body["code"]]).toEqual([404, "storage.tables.notFound"]);
    expect(typesOf(missing.body)).toMatchObject({ error: "string", code: "string", exceptionId: "string" });
    expect((await call(keboola, "/jobs/1")).status).toBe(404);
    expect((await call(keboola, "/files/1")).status).toBe(404);
  });
});

describe("fakeKeboola() limits", () => {
  test("a token for some buckets to these, one by one", async () => {
    const { keboola, storage } = project();
    storage.createTable("in.c-secret.all", { columns: ["id"] });
    const token = keboola.createToken({ bucketPermissions: { "in.c-main": "read" } });
    const statusOf = async (path: string) => (await call(keboola, path, { token })).status;
    expect(await statusOf("/tables")).toBe(403);
    expect(await statusOf("/buckets/in.c-main/tables")).toBe(200);
    expect(await statusOf("/buckets/in.c-secret/tables")).toBe(403);
    expect(await statusOf("/tables/in.c-secret.all")).toBe(403);
    const { body } = await call(keboola, "/tokens/verify", { token });
    expect(body).toMatchObject({ bucketPermissions: { "in.c-main": "read" }, isMasterToken: false });
    const own = await exportTable(keboola, "in.c-main.orders");
    expect(await statusOf(`/files/${fileOf(own)}`)).toBe(403);
    const theirs = await exportTable(keboola, "in.c-main.orders", {}, token);
    expect(await statusOf(`/files/${fileOf(theirs)}`)).toBe(200);
  });

  test("a token that manages buckets to all of them, regardless of its permissions", async () => {
    const { keboola } = project();
    const permissions = { bucketPermissions: { "in.c-main": "read" }, canManageBuckets: true } as const;
    const token = keboola.createToken(permissions);
    expect((await call(keboola, "/tables", { token })).status).toBe(200);
    const { body } = await call(keboola, "/tokens/verify", { token });
    expect(body).toMatchObject({ ...permissions, isMasterToken: false });
    const form = "provider=x&metadata[0][key]=k&metadata[0][value]=v";
    const path = "/tables/in.c-main.orders/metadata";
    expect((await call(keboola, path, { token, form })).status).toBe(201);
    const reader = keboola.createToken({ bucketPermissions: { "in.c-main": "read" } });
    expect((await call(keboola, path, { token: reader, form })).status).toBe(403);
  });

  test("a token until it expires", async () => {
    const { keboola } = project();
    const host = keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
    const token = keboola.createToken({ expires: new Date("2026-11-26T09:00:00Z") });
    const { body } = await call(keboola, "/tokens/verify", { token });
    expect(body).toMatchObject({ expires: "2026-11-26T10:00:00+0100", isExpired: false });
    host.advance(24 * 3_600_000);
    expect((await call(keboola, "/tokens/verify", { token })).status).toBe(401);
  });

  test("a branch to its own tables", async () => {
    const { keboola } = project();
    const branch = keboola.createBranch(123, "My branch");
    branch.createTable("in.c-main.mine", { columns: ["id"], rows: [{ id: "1" }] });
    const statusOf = async (path: string) => (await call(keboola, path)).status;
    expect(await statusOf("/branch/123/tables/in.c-main.mine")).toBe(200);
    expect(await statusOf("/branch/123/tables/in.c-main.orders")).toBe(404);
    expect(await statusOf("/tables/in.c-main.mine")).toBe(404);
    expect(await statusOf("/branch/default/tables/in.c-main.orders")).toBe(200);
    expect(await statusOf("/branch/5/tables/in.c-main.orders")).toBe(200);
    expect(await statusOf("/branch/9/tables")).toBe(404);
    const { body } = await call(keboola, "/dev-branches/");
    expect(body).toMatchObject([
      { id: 5, isDefault: true, creatorToken: [] },
      { id: 123, name: "My branch", isDefault: false },
    ]);
  });
});

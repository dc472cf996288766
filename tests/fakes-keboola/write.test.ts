import { describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";

import { fakeKeboola, type FakeKeboola, type KeboolaScript } from "../fakes/keboola/mod.ts";
import { call, exportedLines, pick, pollJob, type Json } from "./support.ts";

function project(script: KeboolaScript = {}) {
  const keboola = fakeKeboola({ provider: "gcp", ...script });
  const host = keboola.host({ startsAt: new Date("2026-11-25T09:00:00Z") });
  const table = keboola.storage.createTable("out.c-main.people", {
    columns: ["id", "name"],
    primaryKey: ["id"],
    rows: [
      { id: "1", name: "one" },
      { id: "2", name: "two" },
    ],
  });
  const typed = keboola.storage.createTable("out.c-main.typed", {
    columns: [
      { name: "id", type: "NUMBER", length: "38,0" },
      { name: "note", type: "VARCHAR" },
    ],
    primaryKey: ["id"],
  });
  return { keboola, host, table, typed };
}

/** Uploads a text to Google Cloud Storage; returns the id of the file. */
async function upload(keboola: FakeKeboola, content: string | Uint8Array<ArrayBuffer>): Promise<number> {
  const { status, body } = await call(keboola, "/files/prepare", {
    json: { name: "rows.csv", federationToken: true, sizeBytes: content.length },
  });
  if (status !== 201) throw new Error(`${status}`);
  const { bucket, key, access_token } = pick<Readonly<Record<string, string>>>(body, "gcsUploadParams");
  const url = `https://storage.googleapis.com/upload/storage/v1/b/${bucket}/o?uploadType=media&name=${encodeURIComponent(key!)}`;
  const headers = { authorization: `Bearer ${access_token}` };
  const response = await keboola.fetch(url, { method: "POST", headers, body: content });
  if (!response.ok) throw new Error(await response.text());
  return pick<number>(body, "id");
}

/** Uploads and imports a text. */
async function load(
  keboola: FakeKeboola,
  tableId: string,
  content: string | Uint8Array<ArrayBuffer>,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Json> {
  const json = { dataFileId: await upload(keboola, content), ...options };
  const started = await call(keboola, `/tables/${tableId}/import-async`, { json });
  if (started.status !== 202) throw new Error(JSON.stringify(started.body));
  return pollJob(keboola, started.body);
}

describe("fakeKeboola() imports", () => {
  test("over an emptied table unless the import is incremental", async () => {
    const { keboola, table } = project();
    const job = await load(keboola, table.id, 'id,name\n3,"th""ree"\n');
    expect(job).toMatchObject({
      status: "success",
      operationName: "tableImport",
      results: { importedRowsCount: 1 },
    });
    expect(await exportedLines(keboola, table.id)).toEqual(['"3","th""ree"']);
  });

  test("rows by key: changed, unchanged and new ones", async () => {
    const { keboola, host, table } = project();
    host.advance(3_600_000);
    await load(keboola, table.id, gzipSync("id,name\r\n1,one\r\n2,changed\r\n3,new\r\n"), { incremental: 1 });
    expect(await exportedLines(keboola, table.id, { columns: "id", changedSince: "-5 minutes" })).toEqual([
      '"2"',
      '"3"',
    ]);
    expect(table.rowsCount).toBe(3);
  });

  test("a file without a header when columns are named", async () => {
    const { keboola, table } = project();
    await load(keboola, table.id, "b,1\na,2\n", { columns: ["name", "id"], incremental: true });
    expect(await exportedLines(keboola, table.id)).toEqual(['"1","b"', '"2","a"']);
  });

  test("empty text as null into types, on BigQuery only without quotes", async () => {
    for (const [backend, lines] of [
      ["snowflake", ["1,", "2,"]],
      ["bigquery", ["1,", '2,""']],
    ] as const) {
      const { keboola, typed } = project({ backend });
      await load(keboola, typed.id, 'id,note\n1,\n2,""\n');
      const rows = typed.rows.map(({ values }) => [values.get("id"), values.get("note")]);
      expect(rows).toEqual(lines.map((line) => [line[0], line.endsWith('""') ? "" : null]));
    }
  });

  test("only files that fit: all columns, values of the type, as many values as columns", async () => {
    const { keboola, table, typed } = project();
    const errorOf = async (id: string, text: string) =>
      pick<string>(await load(keboola, id, text), "error", "message");
    expect(await errorOf(table.id, "id\n1\n")).toContain("Missing columns: name");
    expect(await errorOf(typed.id, "id,note\none,x\n")).toContain("'one' is not recognized");
    expect(await errorOf(table.id, "id,name\n1\n")).toContain("Number of columns");
    expect(await errorOf(typed.id, "id,note\n,x\n")).toContain("non-nullable");
    expect(await exportedLines(keboola, table.id)).toHaveLength(2);
    const grown = await load(keboola, table.id, "id,name,age\n1,one,7\n");
    expect(pick<string>(grown, "status")).toBe("success");
    expect(table.columns).toEqual(["id", "name", "age"]);
  });

  test("any one of the rows with equal keys in a file", async () => {
    const { keboola, table } = project();
    const found = new Set<string>();
    for (let run = 0; run < 20; run += 1) {
      await load(keboola, table.id, "id,name\n1,a\n1,b\n");
      expect(table.rowsCount).toBe(1);
      found.add(table.rows[0]!.values.get("name")!);
    }
    expect([...found].toSorted()).toEqual(["a", "b"]);
  });

  test("nothing that was not uploaded, and nothing with a token that only reads", async () => {
    const { keboola, table } = project();
    const { body } = await call(keboola, "/files/prepare", { form: "name=rows.csv&federationToken=1" });
    const json = { dataFileId: pick<number>(body, "id") };
    const started = await call(keboola, `/tables/${table.id}/import-async`, { json });
    expect(await pollJob(keboola, started.body)).toMatchObject({ status: "error" });
    const token = keboola.createToken({ bucketPermissions: { "out.c-main": "read" } });
    expect((await call(keboola, `/tables/${table.id}/import-async`, { json, token })).status).toBe(403);
  });

  test("a file of Google's cloud with credentials that are refreshed", async () => {
    const { keboola } = project();
    const { body } = await call(keboola, "/files/prepare", {
      json: { name: "rows.csv", federationToken: true },
    });
    keboola.expireCredentials();
    const path = `/files/${pick<number>(body, "id")}/refresh`;
    const again = await call(keboola, path, { method: "PUT" });
    const tokens = [body, again.body].map((one) => pick<string>(one, "gcsUploadParams", "access_token"));
    expect(new Set(tokens).size).toBe(2);
    const other = project({ provider: "aws" }).keboola;
    const file = await call(other, "/files/prepare", { json: { name: "rows.csv", federationToken: true } });
    expect(
      (await call(other, `/files/${pick<number>(file.body, "id")}/refresh`, { method: "PUT" })).status,
    ).toBe(400);
  });

  test("files of Azure, which need the type of the blob", async () => {
    const { keboola, table } = project({ provider: "azure" });
    const { body } = await call(keboola, "/files/prepare", {
      json: { name: "rows.csv", federationToken: true },
    });
    const { container, blobName } = pick<{ container: string; blobName: string }>(body, "absUploadParams");
    const connection = pick<string>(body, "absUploadParams", "absCredentials", "SASConnectionString");
    const [, endpoint, sas] = /^BlobEndpoint=([^;]+);SharedAccessSignature=(.+)$/.exec(connection)!;
    const put = async (headers: Readonly<Record<string, string>>) =>
      (
        await keboola.fetch(`${endpoint}/${container}/${blobName}?${sas}`, {
          method: "PUT",
          headers,
          body: "id,name\n9,x\n",
        })
      ).status;
    expect(await put({})).toBe(400);
    expect(await put({ "x-ms-blob-type": "BlockBlob" })).toBe(201);
    const link = new URL(pick<string>(body, "url"));
    const readOnly = await keboola.fetch(link, {
      method: "PUT",
      headers: { "x-ms-blob-type": "BlockBlob" },
      body: "",
    });
    expect(readOnly.status).toBe(403);
    const json = { dataFileId: pick<number>(body, "id"), incremental: true };
    const started = await call(keboola, `/tables/${table.id}/import-async`, { json });
    expect(pick<string>(await pollJob(keboola, started.body), "status")).toBe("success");
    expect(table.rowsCount).toBe(3);
  });
});

describe("fakeKeboola() takes metadata", () => {
  test("of a column, one value of each key and provider", async () => {
    const { keboola, table } = project();
    const path = `/columns/${table.id}.name/metadata`;
    const write = (provider: string, value: string) =>
      call(keboola, path, { json: { provider, metadata: [{ key: "KBC.description", value }] } });
    expect((await write("user", "first")).status).toBe(201);
    await write("ai-metadata-enrichment", "other");
    await write("user", "second");
    const { body } = await call(keboola, path);
    expect((body as unknown as readonly Json[]).map(({ provider, value }) => [provider, value])).toEqual([
      ["ai-metadata-enrichment", "other"],
      ["user", "second"],
    ]);
    const [{ id }] = body as unknown as readonly [{ id: string }];
    const remove = () => call(keboola, `${path}/${id}`, { method: "DELETE" });
    expect([(await remove()).status, (await remove()).status]).toEqual([204, 404]);
    expect(table.columnMetadata.get("name")).toMatchObject([{ value: "second" }]);
    expect((await call(keboola, `/columns/${table.id}.nothing/metadata`)).status).toBe(404);
    expect((await call(keboola, path, { json: { metadata: [] } })).status).toBe(400);
  });

  test("of a table and its columns in one call", async () => {
    const { keboola, table } = project();
    const { status, body } = await call(keboola, `/tables/${table.id}/metadata`, {
      json: {
        provider: "user",
        metadata: [{ key: "KBC.description", value: "People" }],
        columnsMetadata: { "0": [{ key: "KBC.datatype.basetype", value: "INTEGER", columnName: "id" }] },
      },
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      metadata: [{ value: "People" }],
      columnsMetadata: { id: [{ value: "INTEGER", provider: "user" }] },
    });
    expect(table.columnMetadata.get("id")).toMatchObject([{ key: "KBC.datatype.basetype" }]);
  });
});

describe("fakeKeboola() refuses metadata", () => {
  test("of an unknown column, and stores nothing of the call", async () => {
    const { keboola, table } = project();
    const entry = { key: "KBC.description", value: "x" };
    const { status, body } = await call(keboola, `/tables/${table.id}/metadata`, {
      json: {
        provider: "user",
        metadata: [entry],
        columnsMetadata: [[{ ...entry, columnName: "id" }], [{ ...entry, columnName: "nothing" }]],
      },
    });
    expect([status, body["code"]]).toEqual([404, "storage.columns.notFound"]);
    expect([table.metadata, [...table.columnMetadata]]).toEqual([[], []]);
  });

  test("of columns in a form, which is for the table alone", async () => {
    const { keboola, table } = project();
    const path = `/tables/${table.id}/metadata`;
    const form = "provider=user&metadata[0][key]=KBC.description&metadata[0][value]=People";
    const { status, body } = await call(keboola, path, { form });
    expect([status, body as unknown]).toMatchObject([201, [{ value: "People", provider: "user" }]]);
    const both = `${form}&columnsMetadata[0][0][key]=k&columnsMetadata[0][0][value]=v`;
    expect((await call(keboola, path, { form: both })).status).toBe(400);
  });
});

describe("fakeKeboola() previews", () => {
  test("up to 1000 rows, as CSV or as JSON that cuts long values", async () => {
    const { keboola, table } = project();
    table.load([{ id: "1", name: "x".repeat(20_000) }], { mode: "truncate" });
    const csv = await call(keboola, `/tables/${table.id}/data-preview?columns=id`);
    expect([csv.status, csv.body as unknown]).toEqual([200, '"id"\n"1"\n']);
    const json = await call(keboola, `/tables/${table.id}/data-preview?format=json&limit=1`);
    expect(json.body["columns"]).toEqual(["id", "name"]);
    expect(pick<Json>(json.body, "rows", 0, 0)).toEqual({ columnName: "id", value: "1", isTruncated: false });
    expect(pick<Json>(json.body, "rows", 0, 1)).toMatchObject({ columnName: "name", isTruncated: true });
    expect((await call(keboola, `/tables/${table.id}/data-preview?limit=1001`)).status).toBe(400);
  });
});

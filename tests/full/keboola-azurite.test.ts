import { afterAll, beforeAll, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";

import { startAzuriteBlobs, type AzuriteBlobs } from "../fakes/azurite-blobs.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
import { importsOf, openWritable } from "../plugins-keboola/writing.ts";
import { call, exportTable, fileOf, pick, pollJob } from "../fakes-keboola/support.ts";

let azurite: AzuriteBlobs;
beforeAll(async () => {
  azurite = await startAzuriteBlobs();
});
afterAll(() => azurite[Symbol.asyncDispose]());

test("fakeKeboola() keeps slices and uploads on a real blob service", async () => {
  const keboola = fakeKeboola({ provider: "azure", azurite, keyPrefix: "exp 15/ä+(1)" });
  keboola.host();
  const rows = Array.from({ length: 90 }, (_, at) => ({ id: String(at) }));
  const table = keboola.storage.createTable("in.c-main.orders", { columns: ["id"], rows });
  const job = await exportTable(keboola, table.id);
  const { body: file } = await call(keboola, `/files/${fileOf(job)}?federationToken=1`);
  const parse = (connection: string) =>
    /^BlobEndpoint=([^;]+);SharedAccessSignature=(.+)$/.exec(connection)!.slice(1);
  const [endpoint, sas] = parse(pick<string>(file, "absCredentials", "SASConnectionString"));
  const container = pick<string>(file, "absPath", "container");
  const blob = (key: string) =>
    `${endpoint}/${container}/${key.split("/").map(encodeURIComponent).join("/")}`;
  const manifest = await keboola.fetch(`${blob(`${pick<string>(file, "absPath", "name")}manifest`)}?${sas}`);
  const { entries } = (await manifest.json()) as { entries: readonly { url: string }[] };
  expect(entries).toHaveLength(3);
  const key = /^azure:\/\/devstoreaccount1\.blob\.core\.windows\.net\/[^/]+\/(.+)$/.exec(
    entries[0]!.url,
  )![1]!;
  const slice = await keboola.fetch(`${blob(key)}?${sas}`, { headers: { range: "bytes=0-0" } });
  expect([slice.status, await slice.text()]).toEqual([206, '"']);

  // Azurite verifies the signature itself.
  const forged = await fetch(`${blob(key)}?${sas!.replace("sp=rl", "sp=rwl")}`);
  expect(forged.status).toBe(403);
  keboola.expireCredentials();
  expect((await keboola.fetch(`${blob(key)}?${sas}`)).status).toBe(403);

  const prepared = await call(keboola, "/files/prepare", {
    json: { name: "rows.csv", federationToken: true },
  });
  const [, writable] = parse(
    pick<string>(prepared.body, "absUploadParams", "absCredentials", "SASConnectionString"),
  );
  const address = `${blob(pick<string>(prepared.body, "absUploadParams", "blobName"))}?${writable}`;
  const put = async (headers: Readonly<Record<string, string>>) =>
    (await keboola.fetch(address, { method: "PUT", headers, body: "id\nnew\n" })).status;
  expect(await put({})).toBe(400);
  expect(await put({ "x-ms-blob-type": "BlockBlob" })).toBe(201);
  const json = { dataFileId: pick<number>(prepared.body, "id"), incremental: 1 };
  const started = await call(keboola, `/tables/${table.id}/import-async`, { json });
  expect(await pollJob(keboola, started.body)).toMatchObject({ status: "success" });
  expect(table.rowsCount).toBe(91);
});

test("push() uploads slices and their manifest to a real blob service, and imports them", async () => {
  const keboola = fakeKeboola({ provider: "azure", azurite, keyPrefix: "exp 15/ä+(1)", jobPolls: 0 });
  const table = keboola.storage.createTable("out.c-main.log", { columns: ["id", "name"] });
  // Keboola has the container; a signature for one cannot create it.
  const container = "exp-15-files-8625";
  await azurite.write(container, "created", new Uint8Array());
  await using workspace = await openWritable(keboola);
  // 20 MB of CSV, and a slice has 16.
  const sql = "SELECT i::VARCHAR AS id, repeat('ž\"', 500) || chr(10) || i AS name FROM range(20000) AS t(i)";
  expect(await workspace.push({ table: table.id, sql, mode: "replace" })).toMatchObject({ rows: 20_000 });

  const uploads = keboola.requestsOf("upload");
  const keys = uploads.map(({ url }) =>
    decodeURIComponent(new URL(url).pathname).replace(`/devstoreaccount1/${container}/`, ""),
  );
  const [{ dataFileId }] = importsOf(keboola) as [{ dataFileId: number }];
  expect(keys).toHaveLength(3);
  expect(keys.every((key) => key.startsWith("exp 15/ä+(1)/") && key.includes(String(dataFileId)))).toBe(true);
  const blobs = await Promise.all(keys.map((key) => azurite.read(container, key)));
  const manifest = JSON.parse(new TextDecoder().decode(blobs[2]!)) as { entries: readonly { url: string }[] };
  expect(manifest.entries.map(({ url }) => url)).toEqual(
    keys.slice(0, 2).map((key) => `azure://devstoreaccount1.blob.core.windows.net/${container}/${key}`),
  );
  const csv = blobs.slice(0, 2).map((blob) => new TextDecoder().decode(gunzipSync(blob!)));
  const [first, last] = [0, 19_999].map((i) => `"${i}","${'ž""'.repeat(500)}\n${i}"`);
  expect(csv.join("").startsWith(first!)).toBe(true);
  expect(csv.join("").trimEnd().endsWith(last!)).toBe(true);
  expect([table.rowsCount, table.rows[7]!.values.get("name")]).toEqual([20_000, `${'ž"'.repeat(500)}\n7`]);

  // Azurite verifies the signature of the upload itself.
  const forged = uploads[0]!.url.replace(/sp=rwl/, "sp=rwdl");
  const put = { method: "PUT", headers: { "x-ms-blob-type": "BlockBlob" }, body: "x" };
  expect((await fetch(forged, put)).status).toBe(403);
});

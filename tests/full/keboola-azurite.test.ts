import { afterAll, beforeAll, expect, test } from "bun:test";

import { startAzuriteBlobs, type AzuriteBlobs } from "../fakes/azurite-blobs.ts";
import { fakeKeboola } from "../fakes/keboola/mod.ts";
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

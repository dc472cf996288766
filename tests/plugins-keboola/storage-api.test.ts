import { describe, expect, setDefaultTimeout, test } from "bun:test";

import type { Agnes } from "agnes";

import { checkCall, type Exchange } from "../fakes-keboola/check-calls.ts";
import { checkAllCalls, checkedCalls, projectOfAllKinds } from "./calls.ts";

setDefaultTimeout(60_000);

describe("keboola: calls as the vendor documents them", () => {
  // tests/full has the other clouds.
  test("of all kinds of tables, with files in the cloud of azure", () => checkAllCalls("azure"));

  test("of a token for one bucket", async () => {
    const keboola = projectOfAllKinds({});
    const token = keboola.createToken({ bucketPermissions: { "in.c-crm": "read" } });
    const discover = async (agnes: Agnes) => void (await agnes.connectors.discover("crm"));
    const { seen, problems } = await checkedCalls(keboola, discover, { token });
    expect([...new Set(problems)]).toEqual([]);
    expect(seen).toContain("GET /v2/storage/buckets/{bucket_id}/tables");
  });

  test("of a stack whose tables lack properties of their bucket", async () => {
    const keboola = projectOfAllKinds({ answers: "recorded", provider: "aws" });
    const work = async (agnes: Agnes) => {
      const registry = await agnes.tables();
      await registry.register({ source: "crm", sourceTable: "in.c-crm.orders", name: "orders" });
      await agnes.sync();
    };
    const { seen, problems } = await checkedCalls(keboola, work);
    // Recorded responses lack fields that were documented later.
    expect(problems.filter((problem) => !problem.includes(": response 200"))).toEqual([]);
    expect(seen).toContain("GET /v2/storage/buckets/{bucket_id}");
  });

  test("of a branch, and as CSV of a stack that exports no Parquet", async () => {
    const keboola = projectOfAllKinds({ parquet: false, provider: "aws" });
    const options = { branch: 77 };
    keboola.createBranch(77).createTable("in.c-crm.empty", { columns: ["id"], rows: [] });
    const work = async (agnes: Agnes) => {
      const registry = await agnes.tables();
      const metadata = { columnMetadata: { id: { description: "Key" } } };
      await registry.register({ source: "crm", sourceTable: "in.c-crm.orders", name: "orders" });
      await registry.register({ source: "crm", sourceTable: "in.c-crm.empty", name: "empty", ...metadata });
      await agnes.sync();
      await agnes.push({ table: "empty", sql: "SELECT '9' AS id", mode: "append" });
      await agnes.pushMetadata({ table: "empty" });
    };
    const { seen, problems } = await checkedCalls(keboola, work, { options });
    expect([...new Set(problems)]).toEqual([]);
    expect(
      keboola.requests.some(({ url }) => url.includes("/branch/77/tables/in.c-crm.empty/metadata")),
    ).toBe(true);
    expect(seen).toContain("GET /v2/storage/dev-branches/");
  });
});

describe("checkCall()", () => {
  const job = {
    id: 1,
    status: "waiting",
    url: "https://connection.keboola.test/v2/storage/jobs/1",
    tableId: null,
    operationName: "tableImport",
    operationParams: {},
    createdTime: "2026-01-01T00:00:00+0100",
    startTime: null,
    endTime: null,
    results: null,
  };
  const good: Exchange = {
    method: "POST",
    url: "https://connection.keboola.test/v2/storage/tables/in.c-main.t/import-async",
    headers: new Headers({ "x-storageapi-token": "t", "content-type": "application/json" }),
    body: JSON.stringify({ dataFileId: 1, incremental: true }),
    response: { status: 202, body: JSON.stringify(job) },
  };
  const metadata = good.url.replace("import-async", "metadata");
  const broken: readonly [title: string, change: Partial<Exchange>, problem: string][] = [
    ["nothing wrong", {}, ""],
    ["a path", { url: `${good.url}hronous` }, "import-asynchronous is not documented"],
    ["a method", { method: "PUT" }, "PUT /v2/storage/tables/in.c-main.t/import-async is not documented"],
    ["a parameter", { url: `${good.url}?limit=1` }, "the parameter limit is not documented"],
    ["no token", { headers: new Headers({ "content-type": "application/json" }) }, "Token is missing"],
    ["a form", { headers: new Headers({ "x-storageapi-token": "t" }) }, "the content type is none"],
    ["a missing field", { body: "{}" }, "body must have required property 'dataFileId'"],
    [
      "a number for a boolean",
      { body: '{"dataFileId":1,"incremental":1}' },
      "body/incremental must be boolean",
    ],
    ["an unknown field", { body: '{"dataFileId":1,"kind":1}' }, "body must NOT have additional properties"],
    [
      "metadata by name",
      { url: metadata, body: '{"provider":"p","columnsMetadata":{"id":[]}}' },
      "property name",
    ],
    ["no metadata", { url: metadata, body: '{"provider":"p"}' }, "must match a schema in anyOf"],
    ["a status", { response: { ...good.response, status: 200 } }, "the status 200 is not documented"],
    [
      "a date",
      { response: { status: 202, body: JSON.stringify({ ...job, createdTime: "2026" }) } },
      "createdTime",
    ],
    [
      "an error",
      { response: { status: 404, body: "{}" } },
      "response 404 must have required property 'error'",
    ],
  ];
  for (const [title, change, problem] of broken)
    test(`finds ${title}`, () => {
      const { problems } = checkCall({ ...good, ...change });
      if (problem === "") expect(problems).toEqual([]);
      else expect(problems.join("\n")).toContain(problem);
    });
});

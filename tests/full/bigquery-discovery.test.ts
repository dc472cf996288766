import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ROOT } from "../../tools/source.ts";
import {
  DISCOVERY_VARIABLE,
  discoveryFindings,
  reportOf,
  type DiscoveryDocument,
} from "../fakes/bigquery/discovery.ts";
import { pythonWith, run } from "./python.ts";

/** Google's client for Python has the discovery documents of its APIs. */
const PACKAGE = "google-api-python-client==2.202.0";
const FIND = "from googleapiclient.discovery_cache import DISCOVERY_DOC_DIR as path; print(path)";
/** The tests whose requests and responses are compared with the document. */
const TESTS = ["tests/plugins-bigquery", "tests/query/hybrid-keys.test.ts"];

const documentPath = () => join(run(pythonWith([PACKAGE]), ["-c", FIND]).trim(), "bigquery.v2.json");

test("the fake of BigQuery returns and the connector sends only what the discovery document has", () => {
  const folder = mkdtempSync(join(tmpdir(), "agnes-discovery-"));
  try {
    const document = join(folder, "bigquery.json");
    copyFileSync(documentPath(), document);
    const tests = spawnSync(process.execPath, ["test", "--parallel=2", "--timeout=120000", ...TESTS], {
      cwd: ROOT,
      env: { ...process.env, [DISCOVERY_VARIABLE]: document },
      encoding: "utf8",
      maxBuffer: 256 * 1024 * 1024,
    });
    const lines = new Set(readFileSync(reportOf(document), "utf8").trim().split("\n"));
    expect([...lines].toSorted()).toEqual(
      [
        "datasets.get",
        "datasets.list",
        "jobs.cancel",
        "jobs.get",
        "jobs.getQueryResults",
        "jobs.insert",
        "jobs.list",
        "tables.get",
        "tables.list",
      ].map((method) => `method bigquery.${method}`),
    );
    expect([tests.status, tests.stderr.includes("\n 0 fail\n")]).toEqual([0, true]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what the discovery document does not have is found", () => {
  const document = JSON.parse(readFileSync(documentPath(), "utf8")) as DiscoveryDocument;
  const base = "https://bigquery.googleapis.com/bigquery/v2/projects/p-1";
  const problems = (request: string, bodies: { sent?: object; received?: object; status?: number } = {}) => {
    const [method, path] = request.split(" ") as [string, string];
    const { sent, received = {}, status = 200 } = bodies;
    return discoveryFindings(document, {
      method,
      url: new URL(`${base}${path}`),
      body: sent === undefined ? "" : JSON.stringify(sent),
      response: { status, body: JSON.stringify(received) },
    }).problems.join();
  };
  expect(problems("GET /datasets/d/tables/t", { received: { numRows: "12", type: "TABLE" } })).toBe("");
  expect(problems("GET /datasets/d/tables/t", { received: { numRows: 12 } })).toContain(
    "numRows is 12, not uint64",
  );
  expect(problems("GET /datasets/d/tables/t", { received: { rows: [] } })).toContain(
    "response.rows is not known",
  );
  expect(problems("GET /datasets/d/tables/t", { received: { error: {} }, status: 404 })).toBe("");
  expect(problems("PUT /jobs/1")).toContain("there is no PUT");
  expect(problems("GET /jobs/1?location=EU")).toBe("");
  expect(problems("GET /jobs/1?place=EU")).toContain("the parameter place is not known");
  expect(problems("GET /jobs?projection=all")).toContain("projection is all");
  expect(problems("GET /queries/1?maxResults=many")).toContain("maxResults is many");
  expect(problems("GET /jobs/1", { sent: {} })).toContain("there is a body");
  const query = { query: "SELECT 1", useLegacySql: false };
  expect(problems("POST /jobs", { sent: { configuration: { query } } })).toBe("");
  for (const [wrong, problem] of [
    [{ legacySql: false }, "request.configuration.query.legacySql is not known"],
    [{ useLegacySql: "false" }, 'useLegacySql is "false", not boolean'],
    [{ maximumBytesBilled: 5 }, "maximumBytesBilled is 5, not int64"],
    [{ queryParameters: {} }, "queryParameters is no list"],
    [{ queryParameters: [{ parameterType: "STRING" }] }, "queryParameters[].parameterType is no object"],
  ] as const)
    expect(problems("POST /jobs", { sent: { configuration: { query: { ...query, ...wrong } } } })).toContain(
      problem,
    );
});

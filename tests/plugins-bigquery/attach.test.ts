import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { createAgnes } from "agnes";

import plugin from "../../plugins/bigquery/plugin.ts";
import { fakeBigQuery, type FakeTable } from "../fakes/bigquery/mod.ts";
import { temporaryFolder } from "../sync/workspace.ts";
import { connect } from "./support.ts";

setDefaultTimeout(60_000);

const of = (id: string, types: readonly string[], resource: FakeTable["resource"] = {}): FakeTable => ({
  dataset: "sales",
  id,
  fields: types.map((type, at) => ({ name: `c${at}`, type })),
  rows: [],
  resource,
});
const NUMBER = ["INTEGER"];
const TABLES: readonly FakeTable[] = [
  of("plain", ["INTEGER", "FLOAT", "BOOLEAN", "STRING", "BYTES", "DATE", "DATETIME", "NUMERIC"]),
  ...["TIMESTAMP", "TIME", "JSON", "GEOGRAPHY", "INTERVAL", "BIGNUMERIC"].map((type) =>
    of(`one_${type}`, ["INTEGER", type]),
  ),
  { ...of("list", []), fields: [{ name: "l", type: "INTEGER", mode: "REPEATED" }] },
  of("large", NUMBER, { numBytes: String(6 * 1024 ** 3) }),
  of("streamed", NUMBER, { streamingBuffer: { estimatedRows: "1" } }),
  of("view", NUMBER, { type: "VIEW" }),
  of("snapshot", NUMBER, { type: "SNAPSHOT" }),
  of("filtered", NUMBER, { requirePartitionFilter: true, timePartitioning: { type: "DAY" } }),
  of("events_20260101", NUMBER),
  { ...of("lent", NUMBER), project: "other-1" },
];

describe("bigquery: the DuckDB extension", () => {
  test("receives the key by the name of its variable, in a secret of the source", async () => {
    await using server = fakeBigQuery({ tables: TABLES });
    const { connector } = await connect(server, { billingProject: "shop-analytics" });
    expect(connector.remote!()).toEqual({
      alias: "shop",
      extension: "bigquery",
      url: "project=shop-1 billing_project=shop-analytics",
      tokenEnv: "BIGQUERY_SERVICE_ACCOUNT_JSON",
      secret: { SCOPE: "bq://shop-1" },
    });
    const { hosts, ...spec } = plugin.extensions!["bigquery"]!;
    expect(spec).toEqual({
      repository: "community",
      isExact: false,
      secret: { type: "bigquery", tokenParameter: "SERVICE_ACCOUNT_JSON" },
    });
    expect(hosts!("")).toEqual([
      "bigquery.googleapis.com",
      "bigquerystorage.googleapis.com",
      "oauth2.googleapis.com",
    ]);
  });

  test("reads only tables of the project with the same values, up to the limit, and only if allowed", async () => {
    await using server = fakeBigQuery({ tables: TABLES });
    const attached = async (options: Record<string, unknown>) => {
      const { tables } = await connect(server, {
        tables: ["other-1.sales.lent"],
        storageRead: true,
        ...options,
      });
      return [...(await tables()).values()].flatMap(({ name, capabilities, remotePath }) =>
        capabilities === undefined ? [[name, remotePath]] : [],
      );
    };
    const plain = ["sales.plain", ["sales", "plain"]];
    expect(await attached({})).toEqual([]);
    expect(await attached({ attach: true })).toEqual([plain]);
    expect(await attached({ attach: true, maxBytesPerQuery: 7 * 1024 ** 3 })).toEqual([
      plain,
      ["sales.large", ["sales", "large"]],
    ]);
    for (const option of [
      { dailyBytes: 1e12 },
      { storageRead: false },
      { apiEndpoint: "https://bigquery.googleapis.com" },
    ])
      expect(await attached({ attach: true, ...option })).toEqual([]);
  });

  test("is optional: without it, its tables are read live, and `remoteTables` states why", async () => {
    using folder = temporaryFolder();
    const table = { ...of("plain", NUMBER), rows: [["1"], ["2"]] };
    await using server = fakeBigQuery({ tables: [table], script: { polls: 0 } });
    await using agnes = await createAgnes({
      workspace: folder.path,
      plugins: [plugin],
      host: {
        fetch: server.fetch as never,
        env: { BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount },
      },
      config: {
        version: 1,
        sources: { bq: { plugin: "bigquery", options: { project: server.project, attach: true } } },
      },
    });
    const tables = await agnes.tables();
    await tables.register({ source: "bq", name: "t", sourceTable: "sales.plain", queryMode: "remote" });
    expect((await agnes.sync()).status).toBe("complete");
    expect(await agnes.rows("SELECT sum(c0)::INT AS n FROM t")).toEqual([{ n: 3 }]);
    const [remote] = await agnes.remoteTables();
    expect(remote).toMatchObject({ id: "bq.t", accessMode: "live", extension: "bigquery" });
    expect(remote!.reason).toContain("`agnes doctor --install-extensions` installs it from community");
  });
});

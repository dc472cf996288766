import { expect } from "bun:test";

import type { Agnes } from "agnes";

import { checkedFetch, documentedCalls } from "../fakes-keboola/check-calls.ts";
import {
  fakeKeboola,
  type FakeKeboola,
  type FileProvider,
  type KeboolaScript,
} from "../fakes/keboola/mod.ts";
import { openWorkspace } from "./agnes.ts";
import { described } from "./project.ts";

/** Runs work over a project whose calls are checked; returns the calls, and what was wrong with them. */
export async function checkedCalls(
  keboola: FakeKeboola,
  work: (agnes: Agnes) => Promise<void>,
  { options = {}, token = keboola.token }: { readonly options?: object; readonly token?: string } = {},
) {
  const { fetch, seen, problems } = checkedFetch(keboola.fetch);
  await using workspace = await openWorkspace(keboola, {
    options: { write: true, ...options },
    token,
    host: { fetch },
  });
  await work(workspace.agnes);
  return { seen, problems };
}

/** Tables of all kinds. */
export function projectOfAllKinds(script: KeboolaScript): FakeKeboola {
  const keboola = fakeKeboola({ jobPolls: 0, sliceRows: 1, ...script });
  const { storage } = keboola;
  storage.createTable("in.c-crm.orders", {
    columns: ["id", "amount"],
    primaryKey: ["id"],
    metadata: [{ key: "KBC.description", value: "All orders" }],
    columnMetadata: { id: described("INTEGER") },
    rows: [
      { id: "1", amount: "2" },
      { id: "2", amount: "" },
    ],
  });
  storage.createTable("in.c-crm.typed", {
    columns: [
      { name: "id", type: "NUMBER", length: "38,0" },
      { name: "at", type: "DATE" },
    ],
    primaryKey: ["id"],
    rows: [{ id: "1", at: "2026-01-01" }],
  });
  storage.createTable("in.c-crm.empty", { columns: ["id"], rows: [] });
  storage.createTable("in.c-crm.view", { columns: ["id"], tableType: "view", rows: [{ id: "1" }] });
  storage.createAlias("out.c-mart.some", "in.c-crm.orders", {
    filter: { column: "id", operator: "eq", values: ["1"] },
  });
  const other = keboola.createProject({ id: 99, name: "shared" });
  other.createTable("out.c-shared.t", { columns: ["id"], primaryKey: ["id"], rows: [{ id: "1" }] });
  storage.linkBucket("in.c-linked", other, "out.c-shared");
  return keboola;
}

/** Discovers, syncs all tables in all ways, and writes rows and metadata. */
async function useAll(keboola: FakeKeboola, agnes: Agnes): Promise<void> {
  await agnes.connectors.health("crm");
  await agnes.connectors.discover("crm");
  const registry = await agnes.tables();
  const filters = [{ column: "id", operator: "ge" as const, values: [1] }];
  const register = (sourceTable: string, name: string, rest: object = {}) =>
    registry.register({ source: "crm", sourceTable, name, ...rest });
  await register("in.c-crm.orders", "orders", {
    syncStrategy: "incremental",
    columnMetadata: { amount: { description: "Net", type: "DECIMAL(12,2)" } },
  });
  await register("in.c-crm.typed", "typed", { whereFilters: filters });
  await register("in.c-crm.empty", "empty");
  await register("in.c-crm.view", "view");
  await register("out.c-mart.some", "some");
  await register("in.c-linked.t", "linked", { syncStrategy: "incremental" });
  const sync = async () => {
    const { sources } = await agnes.sync();
    expect(sources.map(({ status }) => status)).toEqual(["complete"]);
  };
  await sync();
  const row = { id: "3", amount: "4" };
  keboola.storage.table("in.c-crm.orders").load([row], { mode: "incremental" });
  await sync();
  const sql = "SELECT '9' AS id";
  await agnes.push({ table: "empty", sql, mode: "append" });
  await agnes.push({ table: "empty", sql, mode: "replace" });
  await agnes.pushMetadata({ table: "orders" });
  await registry.update("crm.orders", { columnMetadata: { amount: { type: "DATE" } } });
  await agnes.pushMetadata({ table: "orders" });
}

/** Checks all calls of the plugin, with files in one cloud. */
export async function checkAllCalls(provider: FileProvider): Promise<void> {
  const keboola = projectOfAllKinds({ provider });
  let renewed = false;
  keboola.onRequest((step) => {
    if (step === "upload" && !renewed && provider === "gcp") keboola.expireCredentials();
    renewed ||= step === "upload";
    return undefined;
  });
  const { seen, problems } = await checkedCalls(keboola, (agnes) => useAll(keboola, agnes));
  expect([...new Set(problems)]).toEqual([]);
  // Other tests have these, and only credentials of Google are renewed.
  const others = [
    "GET /v2/storage/dev-branches/",
    "GET /v2/storage/buckets/{bucket_id}/tables",
    "GET /v2/storage/buckets/{bucket_id}",
  ];
  if (provider !== "gcp") others.push("PUT /v2/storage/files/{file_id}/refresh");
  expect([...seen].toSorted()).toEqual(documentedCalls.filter((name) => !others.includes(name)).toSorted());
}

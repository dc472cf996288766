import { expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import { attachFailure, refusalOf, type RemoteRequest } from "../../lib/analytics/mod.ts";

const keboola: RemoteRequest = {
  alias: "kbc",
  extension: "keboola",
  url: "https://connection.keboola.com",
  tokenEnv: "KEBOOLA_STORAGE_TOKEN",
  declared: false,
};
const env = { KEBOOLA_STORAGE_TOKEN: "t0ken", JWT_SECRET: "s3cret" };

test("refusalOf() lets through what the lists have", () => {
  expect(refusalOf(env, keboola)).toBeNull();
  expect(
    refusalOf({}, { alias: "bq", extension: "bigquery", url: "project=p", tokenEnv: "", declared: false }),
  ).toBeNull();
});

test.each([
  ["an alias that is no name", { alias: 'x"; DROP' }, "alias"],
  ["an extension that is no name", { extension: "key boola" }, "extension"],
  ["an extension that is not listed", { extension: "httpfs" }, "AGNES_REMOTE_ATTACH_EXTENSIONS"],
  [
    "a DuckDB file that nobody declared",
    { extension: "duckdb", url: "/etc/passwd", tokenEnv: "" },
    "declares",
  ],
  ["a variable that is not listed", { tokenEnv: "JWT_SECRET" }, "AGNES_REMOTE_ATTACH_TOKEN_ENVS"],
  ["a variable that is no name", { tokenEnv: "KEBOOLA_STORAGE_TOKEN\n" }, "valid name"],
  ["a variable that is not set", { tokenEnv: "KBC_TOKEN" }, "not set"],
])("refusalOf() refuses %s", (_title, change, reason) => {
  expect(refusalOf(env, { ...keboola, ...change })).toContain(reason);
});

test("refusalOf() takes lists of the environment instead of its own", () => {
  expect(refusalOf({ ...env, AGNES_REMOTE_ATTACH_EXTENSIONS: "delta, snowflake" }, keboola)).toContain(
    "not on the list",
  );
  expect(refusalOf({ ...env, AGNES_REMOTE_ATTACH_EXTENSIONS: "" }, keboola)).toContain("not on the list");
  expect(refusalOf({ ...env, AGNES_REMOTE_ATTACH_TOKEN_ENVS: "JWT_SECRET" }, keboola)).toContain(
    "not on the list",
  );
  expect(
    refusalOf(
      { ...env, AGNES_REMOTE_ATTACH_TOKEN_ENVS: "JWT_SECRET" },
      { ...keboola, tokenEnv: "JWT_SECRET" },
    ),
  ).toBeNull();
});

test("refusalOf() holds hosts to their list, and an address without one to none", () => {
  const hosts = { ...env, AGNES_REMOTE_ATTACH_HOST_ALLOWLIST: "connection.keboola.com" };
  expect(refusalOf(hosts, keboola)).toBeNull();
  for (const url of [
    "https://evil.example",
    "https://connection.keboola.com@evil.example/",
    "//x",
    "connection.keboola.com",
    "",
  ]) {
    expect(refusalOf(hosts, { ...keboola, url })).not.toBeNull();
  }
});

test("refusalOf() trusts the plugin's own declaration with its file and its variable, unless a list says otherwise", () => {
  const declared = { ...keboola, tokenEnv: "JWT_SECRET", declared: true };
  expect(refusalOf(env, declared)).toBeNull();
  expect(refusalOf({ ...env, AGNES_REMOTE_ATTACH_TOKEN_ENVS: "KBC_TOKEN" }, declared)).toContain(
    "not on the list",
  );
  expect(refusalOf(env, { ...keboola, extension: "duckdb", tokenEnv: "", declared: true })).toBeNull();
});

test("attachFailure() never tells the token", () => {
  const error = new AgnesError("internal", { what: "server said: bad token t0ken" });
  expect(attachFailure(env, keboola, error)).not.toContain("t0ken");
});

import { describe, expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import { attachFailure, attachRemote, refusalOf, type NamedExtension } from "../../lib/analytics/mod.ts";
import { namedExtensions, planAttach } from "../../lib/analytics/remote/plan.ts";
import type { RemoteRequest } from "../../lib/analytics/remote/refusal.ts";
import { Secret, type ExtensionSpec, type RemoteAttachInfo } from "../../lib/kit/mod.ts";
import { plugin } from "../plugins/example.ts";

const info: RemoteAttachInfo = {
  alias: "kbc",
  extension: "keboola",
  url: "https://connection.keboola.com",
  tokenEnv: "KEBOOLA_STORAGE_TOKEN",
};
const spec: ExtensionSpec = { repository: "community", readOnly: false, tokenOption: "TOKEN", foreign: true };
const env = { KEBOOLA_STORAGE_TOKEN: "t0ken", JWT_SECRET: "s3cret" };

function named(change: Partial<NamedExtension> = {}): readonly NamedExtension[] {
  return [{ name: "keboola", plugin: "keboola", spec, variables: ["KEBOOLA_STORAGE_TOKEN"], ...change }];
}

/** A request of an extract of another program. */
function foreign(change: Partial<RemoteAttachInfo> = {}, extensions = named()): RemoteRequest {
  const remote = { ...info, ...change };
  return { ...remote, declared: false, plan: planAttach(remote, null, extensions) };
}

/** A request that the plugin of the source declares. */
function declared(change: Partial<RemoteAttachInfo> = {}, extensions = named()): RemoteRequest {
  const remote = { ...info, ...change };
  const { alias, extension, url, tokenEnv } = remote;
  return { alias, extension, url, tokenEnv, declared: true, plan: planAttach(remote, remote, extensions) };
}

/** The statements that an attach runs; `LOAD` fails until the extension is installed. */
async function statementsOf(
  remote: RemoteRequest,
  options: { readonly install?: boolean; readonly missing?: string } = {},
): Promise<readonly string[]> {
  const statements: string[] = [];
  let missing = options.missing;
  const run = async (sql: string) => {
    statements.push(sql);
    if (sql.includes("INSTALL")) missing = undefined;
    if (!sql.startsWith("LOAD") || missing === undefined) return;
    throw new AgnesError("duckdb_failed", { operation: sql, kind: "IO Error", reason: missing });
  };
  await attachRemote({ run }, env, "crm", remote, {
    install: options.install ?? false,
    signal: new AbortController().signal,
  });
  return statements;
}

describe("refusalOf()", () => {
  test("refusalOf() allows what a loaded plugin allows for extracts of other programs", () => {
    expect(refusalOf(env, foreign())).toBeNull();
    expect(refusalOf({}, foreign({ tokenEnv: "" }))).toBeNull();
  });

  test.each([
    ["an invalid alias", { alias: 'x"; DROP' }, "alias"],
    ["an invalid extension name", { extension: "key boola" }, "extension"],
    ["an extension that no plugin declares", { extension: "httpfs" }, "no loaded plugin declares"],
    ["a DuckDB file that is not declared", { extension: "duckdb", url: "/etc/passwd" }, "declares"],
    ["a variable that is not of the plugin", { tokenEnv: "JWT_SECRET" }, "not declared by the plugin"],
    ["an invalid variable name", { tokenEnv: "KEBOOLA_STORAGE_TOKEN\n" }, "valid name"],
  ])("refusalOf() rejects %s", (_title, change, reason) => {
    expect(refusalOf(env, foreign(change))).toContain(reason);
  });

  test("refusalOf() rejects a variable that is not set", () => {
    expect(refusalOf({}, foreign())).toBe("the environment variable KEBOOLA_STORAGE_TOKEN is not set");
    expect(refusalOf({ KEBOOLA_STORAGE_TOKEN: "" }, declared())).toContain("is not set");
    const options = { USER: new Secret("CRM_USER", "x") };
    expect(refusalOf(env, declared({ options }))).toBe("the environment variable CRM_USER is not set");
  });

  test("refusalOf() allows extracts of other programs only if the plugin allows them", () => {
    const files = named({ spec: { ...spec, foreign: false } });
    expect(refusalOf(env, foreign({}, files))).toContain("the plugin of the source declares");
    expect(refusalOf(env, declared({}, files))).toBeNull();
  });

  test("refusalOf() rejects a token that the extension does not use", () => {
    expect(refusalOf(env, declared({}, []))).toContain("no plugin states how the extension keboola takes");
    expect(refusalOf(env, declared({ tokenEnv: "" }, []))).toBeNull();
    // The plugin may pass the same variable itself.
    const options = { TOKEN: new Secret("KEBOOLA_STORAGE_TOKEN", "t0ken") };
    expect(refusalOf(env, declared({ options }, []))).toBeNull();
  });

  test("refusalOf() uses the lists of the environment instead", () => {
    const only = (list: string) => ({ ...env, AGNES_REMOTE_ATTACH_EXTENSIONS: list });
    for (const remote of [foreign(), declared()]) {
      expect(refusalOf(only("delta, snowflake"), remote)).toContain("not on the list");
      expect(refusalOf(only(""), remote)).toContain("not on the list");
      expect(refusalOf(only("delta, Keboola"), remote)).toBeNull();
    }
    const tokens = { ...env, AGNES_REMOTE_ATTACH_TOKEN_ENVS: "JWT_SECRET" };
    expect(refusalOf(tokens, declared())).toContain("not on the list");
    expect(refusalOf(tokens, foreign({ tokenEnv: "JWT_SECRET" }))).toBeNull();
  });

  test("refusalOf() checks hosts against their list, and rejects addresses without a host", () => {
    const hosts = { ...env, AGNES_REMOTE_ATTACH_HOST_ALLOWLIST: "connection.keboola.com" };
    expect(refusalOf(hosts, foreign())).toBeNull();
    for (const url of [
      "https://evil.example",
      "https://connection.keboola.com@evil.example/",
      "//x",
      "connection.keboola.com",
      "",
    ]) {
      expect(refusalOf(hosts, foreign({ url }))).not.toBeNull();
      expect(refusalOf(hosts, declared({ url }))).not.toBeNull();
    }
    const own = (found: readonly string[] | null) => named({ spec: { ...spec, hosts: () => found } });
    expect(refusalOf(hosts, declared({}, own(["Connection.keboola.com", "evil"])))).toContain("evil");
    expect(refusalOf(hosts, declared({}, own(["Connection.keboola.com"])))).toBeNull();
    expect(refusalOf(hosts, declared({}, own([])))).toBeNull();
    expect(refusalOf(hosts, declared({}, own(null)))).toContain("cannot determine the host");
  });

  test("refusalOf() trusts the plugin's own declaration with its file and its variable", () => {
    expect(refusalOf(env, declared({ tokenEnv: "JWT_SECRET" }))).toBeNull();
    expect(refusalOf(env, declared({ extension: "duckdb", tokenEnv: "" }))).toBeNull();
  });
});

describe("attachRemote()", () => {
  test("attachRemote() attaches read-only, with the options and the token of the plugin", async () => {
    expect(await statementsOf(declared({ options: { BRANCH: "dev's", LIMIT: 5, DIRECT: true } }))).toEqual([
      'LOAD "keboola"',
      `ATTACH 'https://connection.keboola.com' AS "agnes:remote:crm:kbc" (TYPE "keboola", BRANCH 'dev''s', LIMIT 5, DIRECT TRUE, TOKEN 't0ken')`,
    ]);
    expect((await statementsOf(declared({ tokenEnv: "" }, []))).at(-1)).toEndWith(
      '(TYPE "keboola", READ_ONLY)',
    );
  });

  test("attachRemote() creates a separate secret per database, in memory", async () => {
    const withSecret = (option?: null) =>
      named({
        spec: {
          type: "pg",
          secret: {
            type: "postgres",
            tokenParameter: "PASSWORD",
            ...(option === undefined ? {} : { option }),
          },
        },
      });
    const remote = { secret: { USER: "reader", CERT: new Secret("JWT_SECRET", "s3cret") } };
    const [, secret, attach] = await statementsOf(declared(remote, withSecret()));
    expect(secret).toBe(
      `CREATE OR REPLACE TEMPORARY SECRET "agnes:remote:crm:kbc" (TYPE "postgres", USER 'reader', CERT 's3cret', PASSWORD 't0ken')`,
    );
    expect(attach).toEndWith('(TYPE "pg", READ_ONLY, SECRET "agnes:remote:crm:kbc")');
    expect((await statementsOf(declared(remote, withSecret(null)))).at(-1)).toEndWith(
      '(TYPE "pg", READ_ONLY)',
    );
    // Without a token and parameters, no secret is created.
    expect(await statementsOf(declared({ tokenEnv: "" }, withSecret()))).toHaveLength(2);
  });

  test("attachRemote() installs only on request, from the repository of the plugin", async () => {
    const missing = 'Extension "/home/x/keboola.duckdb_extension" not found.';
    expect((await statementsOf(declared(), { install: true, missing })).slice(0, 3)).toEqual([
      'LOAD "keboola"',
      'INSTALL "keboola" FROM community',
      'LOAD "keboola"',
    ]);
    // An extension that no plugin declares is installed from the core repository only.
    expect((await statementsOf(foreign({}, []), { install: true, missing }))[1]).toBe(
      'INSTALL "keboola" FROM core',
    );
    expect((await statementsOf(declared(), { install: true, missing: "built for v1.0.0" }))[1]).toBe(
      'FORCE INSTALL "keboola" FROM community',
    );
    const failure = await statementsOf(declared(), { missing }).catch((error: unknown) => error);
    expect(attachFailure(env, declared(), failure)).toBe(
      "the DuckDB extension keboola is not installed; `agnes doctor --install-extensions` installs it from community",
    );
  });
});

test("namedExtensions() returns the variables of the secrets of the plugin's sources", () => {
  const keboola = plugin({
    name: "keboola",
    secrets: { KEBOOLA_STORAGE_TOKEN: { description: "x" } },
    extensions: { keboola: spec },
  } as never);
  const source = { plugin: "keboola", secrets: { KEBOOLA_STORAGE_TOKEN: "CRM_TOKEN" } };
  const variables = (sources: readonly (typeof source)[]) =>
    namedExtensions([keboola as never, plugin() as never], sources).map((one) => one.variables);
  expect(variables([])).toEqual([["KEBOOLA_STORAGE_TOKEN"]]);
  expect(variables([source])).toEqual([["CRM_TOKEN"]]);
  expect(variables([source, { ...source, secrets: {} as never }])).toEqual([
    ["CRM_TOKEN", "KEBOOLA_STORAGE_TOKEN"],
  ]);
});

test("attachFailure() removes secrets in all quotings", () => {
  const value = "it's \\ s3cret";
  const secrets = { KEBOOLA_STORAGE_TOKEN: value, EXTRA: "oth3r" };
  const remote = declared({ options: { EXTRA: new Secret("EXTRA", "oth3r") } });
  for (const text of [value, "it\\'s \\\\ s3cret", "it''s \\ s3cret", encodeURIComponent(value), "oth3r"]) {
    const message = attachFailure(
      secrets,
      remote,
      new AgnesError("internal", { what: `server said: bad token ${text}` }),
    );
    expect(message).toContain("[redacted]");
    expect(message).not.toMatch(/s3cret|oth3r/);
  }
});

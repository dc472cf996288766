import { expect, test } from "bun:test";

import type { AgnesError } from "../../lib/base/mod.ts";
import { Secret, type ExtensionSpec, type RemoteAttachInfo } from "../../lib/kit/mod.ts";
import { plugin } from "../plugins/example.ts";
import { connect } from "./example.ts";

const info = { alias: "pg", extension: "postgres", url: "host=db", tokenEnv: "PG_PASSWORD" };
const postgres: ExtensionSpec = { secret: { type: "postgres", tokenParameter: "PASSWORD" } };

/** Returns the result of `remote()` of a connected source. */
async function remoteOf(info: RemoteAttachInfo, extensions = { postgres }): Promise<RemoteAttachInfo> {
  const used = plugin({
    capabilities: ["remote"],
    secrets: { PG_PASSWORD: { description: "password", required: true } },
    extensions,
    connect: () => ({ remote: () => info }),
  });
  const { handle } = await connect(
    used,
    { secrets: { PG_PASSWORD: "CRM_PASSWORD" } },
    { host: { env: { CRM_PASSWORD: "s3cret" } } },
  );
  await using _ = handle;
  return handle.connector.remote!();
}

test("remote() returns the attach of the plugin", async () => {
  const whole = {
    ...info,
    options: { SCHEMA: "public", LIMIT: 5, DIRECT: true },
    secret: { USER: "reader", KEY: new Secret("CRM_PASSWORD", "s3cret") },
  };
  expect(await remoteOf(whole)).toBe(whole);
});

test.each<[string, Partial<RemoteAttachInfo>, string]>([
  ["a secret in an option", { options: { OPT: "x=s3cret" } }, "OPT contains the value of a secret"],
  [
    "a secret in an option in base64",
    { options: { OPT: Buffer.from("s3cret").toString("base64") } },
    "OPT contains the value of a secret",
  ],
  [
    "a secret in a parameter in hexadecimal digits",
    { secret: { USER: Buffer.from("s3cret").toString("hex") } },
    "USER contains the value of a secret",
  ],
  ["no tokenEnv", { tokenEnv: undefined as never }, "remote(): tokenEnv should be a text, but is missing"],
  ["no alias", { alias: undefined as never }, "remote(): alias should be a text, but is missing"],
  ["a url of another kind", { url: 5 as never }, "remote(): url should be a text, but is a number"],
  ["options of another kind", { options: "SCHEMA" as never }, "remote(): options should be an object"],
  ["a secret in a parameter", { secret: { USER: "s3cret" } }, "USER contains the value of a secret"],
  ["an option that is no name", { options: { "A, B": 1 } }, '"A, B" is not a valid name'],
  ["an access mode", { options: { read_write: true } }, "read_write is set by extensions"],
  ["a type", { options: { TYPE: "mysql" } }, "TYPE is set by extensions"],
  ["a number that is none", { options: { LIMIT: Number.NaN } }, "LIMIT is not a finite number"],
  ["a list", { options: { LIST: [] as never } }, "LIST should be a text, a number, true, false or a secret"],
  [
    "a secret that nothing describes",
    { extension: "mysql", secret: { USER: "x" } },
    "extensions.mysql.secret does not declare one",
  ],
])("remote() is rejected for %s, without its value", async (_title, change, reason) => {
  const error = await remoteOf({ ...info, ...change }).catch((thrown: unknown) => thrown as AgnesError);
  expect(error).toMatchObject({ code: "plugin_failed" });
  expect((error as AgnesError).message).toContain(reason);
  expect((error as AgnesError).message).not.toContain("s3cret");
});

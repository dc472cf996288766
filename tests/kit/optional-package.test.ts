import { expect, test } from "bun:test";

import { optionalPackage } from "../../lib/kit/mod.ts";

/** As runtimes report that a module is missing. */
const missing = (message: string) => () =>
  Promise.reject(Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" }));

test("optionalPackage() names a missing package, also if one of its files was imported", async () => {
  for (const message of [
    "Cannot find package '@scope/sdk' imported from /app/plugin.js",
    "Cannot find module '@scope/sdk/build/protos.json' from '/app/plugin.ts'",
  ])
    expect(
      await optionalPackage("@scope/sdk", missing(message)).catch((error: unknown) => error),
    ).toMatchObject({ code: "package_missing", details: { package: "@scope/sdk" } });
});

test("optionalPackage() throws other errors unchanged", async () => {
  for (const message of ["Cannot find package 'its-dependency'", "Cannot find package '@scope/sdk-core'"])
    expect(
      await optionalPackage("@scope/sdk", missing(message)).catch((error: unknown) => error),
    ).toMatchObject({ message, code: "ERR_MODULE_NOT_FOUND" });
  expect(await optionalPackage("node:path", () => import("node:path"))).toHaveProperty("join");
});

import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";

import { memoryStorage } from "agnes/catalog";
import { fakeHost } from "agnes/testing";

import { createHost, currentActor } from "../../lib/base/mod.ts";
import { openTableRegistry } from "../../lib/tables/mod.ts";

test("currentActor() returns the user of the environment", () => {
  const actorOf = (env: Record<string, string>) => currentActor({ env, userName: () => "eve" });
  expect(actorOf({ USER: "ann", LOGNAME: "bob" })).toBe("ann");
  expect(actorOf({ USER: "", LOGNAME: "bob" })).toBe("bob");
  expect(actorOf({ USERNAME: "cyd" })).toBe("cyd");
});

test("currentActor() returns the user of the host if the environment has none, and unknown without either", () => {
  expect(currentActor({ env: { USER: "" }, userName: () => "eve" })).toBe("eve");
  expect(currentActor({ env: {}, userName: () => undefined })).toBe("unknown");
  expect(currentActor(fakeHost())).toBe("unknown");
});

test("Host.userName() returns the user of the operating system", () => {
  const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  const module = JSON.stringify(new URL("../../lib/base/host.ts", import.meta.url).pathname);
  const program = `import { createHost } from ${module}; console.log(createHost().userName());`;
  // In a separate process, because Bun reads the user name from the environment.
  const found = execFileSync(process.execPath, ["-e", program], { encoding: "utf8", env: {} });
  expect(found.trim()).toBe(user);
  expect(user).not.toBe("unknown");
});

test("the actor of a registry change is the user of the host's environment, or else of the host", async () => {
  for (const parts of [{ env: { LOGNAME: "dot" } }, { env: {}, userName: () => "dot" }]) {
    await using registry = await openTableRegistry({ storage: memoryStorage(), host: createHost(parts) });
    const { table } = await registry.register({ source: "crm", sourceTable: "orders" });
    const [change] = await registry.history();
    expect([table.registeredBy, change!.actor]).toEqual(["dot", "dot"]);
  }
});

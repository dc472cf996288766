import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";

import { createHost, memoryStorage, openTableRegistry } from "agnes";
import { currentActor } from "../../lib/base/mod.ts";

test("currentActor() returns the user of the environment", () => {
  expect(currentActor({ USER: "ann", LOGNAME: "bob" })).toBe("ann");
  expect(currentActor({ USER: "", LOGNAME: "bob" })).toBe("bob");
  expect(currentActor({ USERNAME: "cyd" })).toBe("cyd");
});

test("currentActor() returns the user of the operating system if the environment has none", () => {
  const user = execFileSync("id", ["-un"], { encoding: "utf8" }).trim();
  const module = JSON.stringify(new URL("../../lib/base/actor.ts", import.meta.url).pathname);
  const program = `import { currentActor } from ${module}; console.log(currentActor(process.env));`;
  // In a separate process, because Bun reads the user name from the environment.
  const found = execFileSync(process.execPath, ["-e", program], { encoding: "utf8", env: {} });
  expect(found.trim()).toBe(user);
  expect(user).not.toBe("unknown");
});

test("the actor of a registry change is the user of the host's environment", async () => {
  const host = createHost({ env: { LOGNAME: "dot" } });
  await using registry = await openTableRegistry({ storage: memoryStorage(), host });
  const { table } = await registry.register({ source: "crm", sourceTable: "orders" });
  const [change] = await registry.history();
  expect([table.registeredBy, change!.actor]).toEqual(["dot", "dot"]);
});

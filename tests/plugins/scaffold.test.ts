import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import type { Capability } from "../../lib/kit/mod.ts";
import { checkPlugin } from "../../lib/plugins/check.ts";
import { loadWorkspacePlugins, scaffoldCapabilities, scaffoldPlugin } from "../../lib/plugins/mod.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dir, "../..");
const combinations: readonly (readonly Capability[])[] = Array.from({ length: 31 }, (_, at) =>
  scaffoldCapabilities.filter((_capability, bit) => (((at + 1) >> bit) & 1) === 1),
);

/** Inside the repository, so that `agnes/kit` resolves to the working tree. */
let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(root, "tests/plugins/.scaffold-"));
  for (const [at, some] of combinations.entries()) {
    for (const [name, text] of Object.entries(scaffoldPlugin({ name: `p${at}`, capabilities: some }))) {
      const path = join(directory, name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
    }
  }
  const config = {
    extends: "../../../tsconfig.json",
    include: ["plugins"],
    compilerOptions: {
      paths: { "agnes/kit": ["../../../lib/kit/mod.ts"], "agnes/testing": ["../../../lib/testing/mod.ts"] },
    },
  };
  await writeFile(join(directory, "tsconfig.json"), JSON.stringify(config));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("scaffoldPlugin()", () => {
  test("scaffoldPlugin() returns plugins that compile, for every combination of capabilities", async () => {
    const compiler = join(root, "node_modules/.bin/tsc");
    const { stdout } = await run(compiler, ["--noEmit", "-p", directory]).catch((error: unknown) => ({
      stdout: (error as { stdout: string }).stdout,
    }));
    // Only errors in the scaffold count here. The rest of the repository is checked separately.
    expect(stdout.split("\n").filter((line) => line.includes(".scaffold-"))).toEqual([]);
  });

  test("scaffoldPlugin() returns valid plugins that load, for every combination", async () => {
    const { plugins, failures } = await loadWorkspacePlugins(directory, []);
    expect(failures).toEqual([]);
    expect(plugins.length).toBe(31);
    for (const plugin of plugins) checkPlugin(plugin);
  });

  test("scaffoldPlugin() returns a test that passes unchanged", async () => {
    const chosen: readonly (readonly Capability[])[] = [
      ["discover", "read"],
      ["read"],
      ["query"],
      scaffoldCapabilities,
    ];
    const names = chosen.map((some) => `p${combinations.findIndex((one) => one.join() === some.join())}`);
    const files = names.map((name) => `./${join("plugins", name, "plugin.test.ts")}`);
    const { stderr } = await run(process.execPath, ["test", ...files], { cwd: directory }).catch(
      (error: unknown) => error as { stderr: string },
    );
    expect(stderr).toContain(" 0 fail");
    expect(stderr).toContain(`across ${files.length} files`);
  });

  test("scaffoldPlugin() returns formatted text that marks the parts to replace", () => {
    const files = scaffoldPlugin({ name: "my-crm", capabilities: ["read", "discover"] });
    expect(Object.keys(files)).toEqual([
      "plugins/my-crm/plugin.ts",
      "plugins/my-crm/plugin.test.ts",
      "plugins/my-crm/README.md",
    ]);
    const [text, tests, readme] = Object.values(files);
    expect(text).toContain('capabilities: ["discover", "read"],');
    expect(text!.match(/Replace:/g)!.length).toBeGreaterThanOrEqual(5);
    expect(tests!.split("\n").filter((line) => line.length > 110)).toEqual([]);
    expect(readme).toContain("my_crm: { plugin: my-crm }");
  });

  test("scaffoldPlugin() does not describe a plugin as working without its database", () => {
    const readme = (...capabilities: Capability[]) =>
      scaffoldPlugin({ name: "rm", capabilities })["plugins/rm/README.md"];
    expect(readme("read")).toContain("so it works unchanged");
    expect(readme("remote")).not.toContain("works unchanged");
    for (const some of [readme("remote"), readme("read", "remote")])
      expect(some).toContain("`remote()` names `rm.duckdb` in the workspace, which you provide");
  });

  test("scaffoldPlugin() rejects an invalid name, an unknown capability and an empty list", () => {
    const bad = (name: string, some: readonly string[]) => () =>
      scaffoldPlugin({ name, capabilities: some as readonly Capability[] });
    expect(bad("../evil", ["read"])).toThrow('"../evil" is not a valid plugin name');
    expect(bad('x"; evil()', ["read"])).toThrow("is not a valid plugin name");
    expect(bad("good", ["fly"])).toThrow('cannot have the capability "fly"; it can have discover, read');
    // They are added with the code that runs them.
    for (const later of ["stream", "write"]) expect(bad("good", [later])).toThrow(`capability "${later}"`);
    expect(bad("good", [])).toThrow("at least one capability");
  });
});

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import type { AgnesError } from "../../lib/base/mod.ts";
import { createPluginRegistry, loadWorkspacePlugins } from "../../lib/plugins/mod.ts";
import { plugin } from "./example.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agnes-load-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
}

/** The text of a plugin that needs no imports. */
const good = (name: string) => `export default {
  name: "${name}" as string, version: "1.0.0", description: "${name}", capabilities: ["discover"],
  options: { kind: "schema", "~run": () => {} }, secrets: {}, connect: () => ({ discover: async () => [] }),
};`;

const load = (entries: readonly string[] = [], taken: readonly string[] = []) =>
  loadWorkspacePlugins(directory, entries, undefined, { taken });

describe("loadWorkspacePlugins()", () => {
  test("loadWorkspacePlugins() finds nothing when there is no folder", async () => {
    expect(await load()).toEqual({ plugins: [], failures: [] });
  });

  test("loadWorkspacePlugins() loads files and folders of plugins/, and nothing else there", async () => {
    await put({
      "plugins/one.ts": good("one"),
      "plugins/two/plugin.ts": good("two"),
      "plugins/two/client.ts": "throw new Error('not a plugin');",
      "plugins/three/plugin.mjs": good("three").replace(" as string", ""),
      "plugins/one.test.ts": "throw new Error('a test');",
      "plugins/_shared.ts": "throw new Error('shared code');",
      "plugins/types.d.ts": "export {};",
      "plugins/README.md": "# hello",
      "plugins/helpers/text.ts": "throw new Error('not a plugin');",
      "plugins/node_modules/x/plugin.ts": "throw new Error('not a plugin');",
    });
    const { plugins, failures } = await load();
    expect(failures).toEqual([]);
    expect(plugins.map(({ name }) => name)).toEqual(["one", "three", "two"]);
    expect(createPluginRegistry(plugins, failures).get("two").version).toBe("1.0.0");
  });

  test("loadWorkspacePlugins() loads what plugins: names: paths, folders and packages", async () => {
    await put({
      "own/path.ts": good("path"),
      "own/folder/plugin.ts": good("folder"),
      "node_modules/agnes-plugin-a/package.json":
        '{"name":"agnes-plugin-a","exports":{".":{"import":"./a.js"}}}',
      "node_modules/agnes-plugin-a/a.js": good("package-a").replace(" as string", ""),
      "node_modules/@team/b/package.json": '{"name":"@team/b","type":"module","exports":"./b.js"}',
      "node_modules/@team/b/b.js": good("package-b").replace(" as string", ""),
    });
    const { plugins, failures } = await load(["./own/path.ts", "own/folder", "agnes-plugin-a", "@team/b"]);
    expect(failures).toEqual([]);
    expect(plugins.map(({ name }) => name)).toEqual(["path", "folder", "package-a", "package-b"]);
  });

  test("loadWorkspacePlugins() reports each bad plugin with its file and reason, and loads the rest", async () => {
    await put({
      "plugins/a-throws.ts": "throw new Error('no luck\\nat all');",
      "plugins/b-syntax.ts": "export default { name: ",
      "plugins/c-missing.ts": "import 'a-package-nobody-has'; export default 1;",
      "plugins/d-nothing.ts": "export const plugin = 1;",
      "plugins/e-wrong.ts": good("e").replace('"1.0.0"', "1"),
      "plugins/f-good.ts": good("f"),
      "plugins/g-clash.ts": good("f"),
      "plugins/h-bundled.ts": good("files"),
    });
    const { plugins, failures } = await load(["./gone.ts", "no-such-package"], ["files"]);
    expect(plugins.map(({ name }) => name)).toEqual(["f"]);
    const told = failures.map(({ file, error }) => [file.replace(`${directory}/plugins/`, ""), error.code]);
    expect(told).toEqual([
      [join(directory, "gone.ts"), "plugin_load_failed"],
      ["no-such-package", "plugin_load_failed"],
      ["a-throws.ts", "plugin_load_failed"],
      ["b-syntax.ts", "plugin_load_failed"],
      ["c-missing.ts", "plugin_load_failed"],
      ["d-nothing.ts", "plugin_load_failed"],
      ["e-wrong.ts", "plugin_invalid"],
      ["g-clash.ts", "plugin_invalid"],
      ["h-bundled.ts", "plugin_invalid"],
    ]);
    const reasons = failures.map(({ error }) => (error as AgnesError<"plugin_invalid">).details.reason);
    expect(reasons[0]).toBe("there is no such file");
    expect(reasons[1]).toContain("no such package is installed");
    expect(reasons[2]).toBe("no luck");
    expect(reasons[3]).toMatch(/unexpected|expected/i);
    expect(reasons[4]).toContain("a-package-nobody-has");
    expect(reasons[5]).toContain("no default export");
    expect(reasons[6]).toContain("version is 1");
    expect(reasons[7]).toContain(`${join(directory, "plugins", "f-good.ts")} has the same name`);
    expect(reasons[8]).toBe("a bundled plugin has the same name");
    for (const { file, error } of failures) expect(error.message).toContain(file);
  });

  test("loadWorkspacePlugins() loads a file once when it is named and in the folder", async () => {
    await put({ "plugins/one.ts": good("one") });
    const { plugins, failures } = await load(["plugins/one.ts"]);
    expect([plugins.length, failures.length]).toEqual([1, 0]);
  });

  test("loadWorkspacePlugins() reports a plugin whose import never ends, and loads the rest", async () => {
    await put({ "plugins/stuck.ts": "await new Promise(() => {});", "plugins/works.ts": good("works") });
    const { plugins, failures } = await loadWorkspacePlugins(directory, [], undefined, { timeoutMs: 1000 });
    expect(plugins.map((one) => one.name)).toEqual(["works"]);
    expect(failures.map(({ error }) => error.message)).toEqual([
      `could not load a plugin from ${join(directory, "plugins/stuck.ts")}: its import did not finish within 1000 ms`,
    ]);
  });

  test("loadWorkspacePlugins() imports through the importer it is given", async () => {
    await put({ "plugins/one.ts": "this is not even TypeScript" });
    const seen: string[] = [];
    const { plugins } = await loadWorkspacePlugins(directory, [], async (path) => {
      seen.push(path);
      return { default: plugin({ name: "given" }) };
    });
    expect(seen).toEqual([join(directory, "plugins", "one.ts")]);
    expect(plugins[0]!.name).toBe("given");
  });
});

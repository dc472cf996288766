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
  test("loadWorkspacePlugins() returns no plugins without a folder", async () => {
    expect(await load()).toEqual({ plugins: [], failures: [] });
  });

  test("loadWorkspacePlugins() loads only plugin files and folders of plugins/", async () => {
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

  test("loadWorkspacePlugins() loads the paths, folders and packages of plugins:", async () => {
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
    const reported = failures.map(({ file, error }) => [
      file.replace(`${directory}/plugins/`, ""),
      error.code,
    ]);
    expect(reported).toEqual([
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
    expect(reasons[0]).toBe("the file does not exist");
    expect(reasons[1]).toContain("nor a package installed in");
    expect(reasons[2]).toBe("no luck");
    expect(reasons[3]).toMatch(/unexpected|expected/i);
    expect(reasons[4]).toContain("a-package-nobody-has");
    expect(reasons[5]).toContain("no default export");
    expect(reasons[6]).toContain("version is 1");
    expect(reasons[7]).toContain(`${join(directory, "plugins", "f-good.ts")} has the same name`);
    expect(reasons[8]).toBe("a bundled plugin has the same name");
    for (const { file, error } of failures) expect(error.message).toContain(file);
  });

  test("loadWorkspacePlugins() reports line and column of an error, also in an imported file", async () => {
    await put({
      "plugins/a-throws.ts":
        "const one = 1;\n\nfunction fail() {\n  throw new Error('no luck');\n}\nfail();\n",
      "plugins/b-syntax.ts": "export default {\n  name: 'b',\n  capabilities: [,\n",
      "plugins/c-missing.ts": "// first\nimport 'a-package-nobody-has';\nexport default 1;",
      "plugins/d-imports.ts": "import './_client.ts';\nexport default 1;",
      "plugins/_client.ts": "\n\n   throw new Error('inside');",
      "plugins/e-invalid.ts": `// first\n${good("e").replace('"1.0.0"', "1")}`,
      "plugins/f-export.ts": "import { definePlugni } from './_kit.ts';\nexport default definePlugni;",
      "plugins/_kit.ts": "export const definePlugin = 1;",
    });
    const { failures } = await load();
    const folder = `${directory}/plugins/`;
    const places = failures.map(({ error }) =>
      error.message.replaceAll(folder, "").replace(/^could not load a plugin from |^the plugin "e" of /, ""),
    );
    expect(places.map((place) => place.replace(/: .*| is not valid.*/, ""))).toEqual([
      expect.stringMatching(/^a-throws\.ts:4:\d+$/),
      expect.stringMatching(/^b-syntax\.ts:3:\d+$/),
      "c-missing.ts:2:9",
      expect.stringMatching(/^d-imports\.ts, which imports _client\.ts:3:\d+$/),
      "e-invalid.ts:2:1",
      "f-export.ts:1:10",
    ]);
  });

  test("loadWorkspacePlugins() reports the first of several syntax errors as the reason", async () => {
    await put({ "plugins/broken.ts": "const a = ;\nconst b = ;\nconst c = ;\nexport default a b c;\n" });
    const { failures } = await load();
    const { reason } = failures[0]!.error.details as { readonly reason: string };
    expect(reason).toContain("Unexpected ;");
    expect(failures[0]!.error.message).toContain("broken.ts:1:11: Unexpected ;");
  });

  test("get() of the registry names the file of a plugin that could not be loaded", async () => {
    await put({ "plugins/crm/plugin.ts": "throw new Error('no luck');", "plugins/good.ts": good("good") });
    const { plugins, failures } = await load();
    const registry = createPluginRegistry(plugins, failures);
    const missed = (name: string) => {
      try {
        registry.get(name);
      } catch (error) {
        return error as AgnesError;
      }
      throw new Error("it is there");
    };
    const place = `${join(directory, "plugins/crm/plugin.ts")}:1:`;
    expect(missed("crm").message).toContain(
      `there is no plugin "crm": could not load a plugin from ${place}`,
    );
    expect(missed("crm").hint).toContain("Correct that file");
    expect(missed("goood").message).toBe('there is no plugin "goood"');
    expect(missed("goood").hint).toContain('Did you mean "good"?');
    expect(missed("goood").hint).toContain(place);
  });

  test("loadWorkspacePlugins() loads a configured file of the folder once", async () => {
    await put({ "plugins/one.ts": good("one") });
    const { plugins, failures } = await load(["plugins/one.ts"]);
    expect([plugins.length, failures.length]).toEqual([1, 0]);
  });

  test("loadWorkspacePlugins() reports a plugin whose import never ends, and loads the rest", async () => {
    await put({ "plugins/stuck.ts": "await new Promise(() => {});", "plugins/works.ts": good("works") });
    const { plugins, failures } = await loadWorkspacePlugins(directory, [], undefined, { timeoutMs: 1000 });
    expect(plugins.map((one) => one.name)).toEqual(["works"]);
    expect(failures.map(({ error }) => error.message)).toEqual([
      `could not load a plugin from ${join(directory, "plugins/stuck.ts")}: its import did not finish within 1 second`,
    ]);
  });

  test("loadWorkspacePlugins() uses a custom importer", async () => {
    await put({ "plugins/one.ts": "this is not even TypeScript" });
    const seen: string[] = [];
    const { plugins } = await loadWorkspacePlugins(directory, [], async (path) => {
      seen.push(path);
      return { default: plugin({ name: "imported" }) };
    });
    expect(seen).toEqual([join(directory, "plugins", "one.ts")]);
    expect(plugins[0]!.name).toBe("imported");
  });
});

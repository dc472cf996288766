import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, isAgnesError } from "../../lib/base/mod.ts";
import { checkConfig, openWorkspace } from "../../lib/workspace/mod.ts";
import { findWorkspace } from "../../lib/workspace/workspace.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "agnes-workspace-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (yaml: string, env: Record<string, string> = {}) => {
  writeFileSync(join(directory, "agnes.yaml"), yaml);
  return openWorkspace({ ...createHost(), env }, { from: directory });
};
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isAgnesError(error)) throw new Error(`expected an AgnesError, got ${String(error)}`);
  return error;
};

describe("errors of agnes.yaml", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    [
      "an unknown key",
      "version: 1\nsources:\n  crm:\n    plugin: files\n    optoins: {}\n",
      "5:5: unknown key",
    ],
    [
      "an unknown key on one line",
      "version: 1\nsources: { crm: { plugin: files, optoins: {} } }\n",
      "2:34: unknown key",
    ],
    ["a wrong value", "version: 1\nlimits:\n  # much\n  memoryMb: lots\n", "4:3: limits.memoryMb should be"],
    [
      "a missing key",
      "version: 1\nsources:\n  crm:\n    register: all\n",
      "3:3: sources.crm.plugin should be present",
    ],
    ["a wrong item of a list", "version: 1\nplugins:\n  - a\n  - 7\n", "4:5: plugins.1 should be"],
    [
      "a bad name",
      "version: 1\nsources:\n  ok: { plugin: files }\n  b-d: { plugin: files }\n",
      '4:3: the source name "b-d"',
    ],
    [
      "the same name twice",
      "version: 1\nsources:\n  a: { plugin: files }\n  A: { plugin: files }\n",
      '4:3: the source name "A"',
    ],
    [
      "a bad variable",
      "version: 1\nsources:\n  a:\n    plugin: files\n    secrets:\n      T: no\n",
      "6:7: sources.a.secrets.T",
    ],
    ["a key that is not text", "version: 1\n7: x\n", "2:1: unknown key"],
    ["no content", "\n", ": version should be"],
    ["keys behind an alias", "version: 1\nsources:\n  a: &a { plugin: files, x: 1 }\n", "3:26: unknown key"],
  ];
  test.each(cases)("have the line of %s", async (_title, yaml, message) => {
    expect((await failure(open(yaml))).message).toContain(
      `agnes.yaml:${message}`.replace("yaml:: ", "yaml: "),
    );
  });
});

describe("openWorkspace", () => {
  test("openWorkspace() fills defaults and finds the data folder", async () => {
    const workspace = await open("version: 1\nsources:\n  crm: { plugin: files }\n");
    expect(workspace.config).toEqual({
      version: 1,
      plugins: [],
      limits: { memoryMb: 1024, temporaryMb: 10_240, sourcesAtOnce: 4, stalledMs: 900_000 },
      server: {
        maxBodyBytes: 1_048_576,
        maxRows: 10_000_000,
        maxResultBytes: 1_073_741_824,
        queryTimeoutMs: 60_000,
        stalledMs: 30_000,
        logSql: false,
        publicUrl: null,
        corsOrigins: [],
        trustProxy: false,
        maxScanBytes: 2_147_483_648,
        maxWebhookBytes: 5_242_880,
        publicMetrics: false,
      },
      sources: { crm: { plugin: "files", options: {}, secrets: {} } },
    });
    expect(workspace.dataDirectory).toBe(join(directory, "data"));
    expect((await open("version: 1", { AGNES_DATA_DIR: "elsewhere" })).dataDirectory).toBe(
      join(directory, "elsewhere"),
    );
  });

  test("findWorkspace() takes the nearest folder upwards and fails when there is none", async () => {
    const deep = join(directory, "a", "b");
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(directory, "agnes.yaml"), "version: 1");
    expect(await findWorkspace(createHost().files, deep)).toBe(directory);
    const error = await failure(openWorkspace({ ...createHost(), env: {} }, { exact: deep }));
    expect(error.code).toBe("workspace_missing");
    expect(error.hint).toContain("agnes init");
    expect(error.message).toBe(`there is no agnes.yaml in ${deep}`);
  });

  const bad: readonly (readonly [name: string, yaml: string, code: string, words: string])[] = [
    ["broken YAML", "version: 1\nsources: [", "config_malformed", "agnes.yaml:"],
    ["a tab for indentation", "version: 1\nsources:\n\tcrm: {}", "config_malformed", "agnes.yaml:3"],
    ["a repeated key", "version: 1\nversion: 1", "config_malformed", "agnes.yaml:2"],
    ["an unknown key", "version: 1\nsorces: {}", "config_unknown_key", "sorces"],
    [
      "an unknown key of a source",
      "version: 1\nsources: { a: { plugin: files, option: {} } }",
      "config_unknown_key",
      "sources.a.option",
    ],
    ["a missing version", "sources: {}", "config_invalid", "version should be present, but is missing"],
    ["another version", "version: 2", "config_invalid", "version should be 1, but is 2"],
    ["a list for a map", "version: 1\nsources: []", "config_invalid", "sources"],
    [
      "a source that objects inherit",
      "version: 1\nsources: { constructor: { plugin: files } }",
      "config_invalid",
      "constructor",
    ],
    [
      "a missing plugin",
      "version: 1\nsources: { a: {} }",
      "config_invalid",
      "sources.a.plugin should be present",
    ],
    [
      "a mistyped key in the place of a required one",
      "version: 1\nsources: { a: { plugn: files } }",
      "config_unknown_key",
      "sources.a.plugn",
    ],
    [
      "a word that is no choice",
      "version: 1\nsources: { a: { plugin: files, register: some } }",
      "config_invalid",
      'sources.a.register should be ("all" | "listed"), but is "some"',
    ],
    [
      "a hostile source name",
      "version: 1\nsources: { '../a': { plugin: files } }",
      "invalid_identifier",
      "../a",
    ],
    [
      "a schema as a source name",
      "version: 1\nsources: { main: { plugin: files } }",
      "invalid_identifier",
      "main",
    ],
    [
      "a source name of Agnes's own",
      "version: 1\nsources: { _a: { plugin: files } }",
      "invalid_identifier",
      "_a",
    ],
    [
      "two sources that differ in case",
      "version: 1\nsources: { a: { plugin: files }, A: { plugin: files } }",
      "invalid_identifier",
      '"A"',
    ],
    ["an empty file", "", "config_invalid", "version"],
    ["a scalar", "just words", "config_invalid", "the content"],
  ];
  for (const [name, yaml, code, words] of bad) {
    test(`openWorkspace() refuses ${name} with ${code}`, async () => {
      const error = await failure(open(yaml));
      expect(error.code).toBe(code as typeof error.code);
      expect(error.message).toContain(words);
      expect(error.exitCode).toBe(2);
    });
  }

  test("openWorkspace() names the key that was meant", async () => {
    const error = await failure(open("version: 1\nsources: { a: { plugin: files, option: {} } }"));
    expect(error.hint).toContain('"options"');
  });

  const misplaced: readonly unknown[] = [
    { plugin: "x", secrets: { TOKEN: { value: "hunter22" } } },
    { plugin: "x", secrets: { TOKEN: "hunter22" } },
    { plugin: "x", secrets: "hunter22" },
    { plugin: "x", options: "hunter22" },
  ];
  for (const source of misplaced) {
    test(`checkConfig() does not show the secret of ${JSON.stringify(source)}`, () => {
      try {
        checkConfig({ version: 1, sources: { a: source as { plugin: string } } }, "agnes.yaml");
      } catch (error) {
        expect(isAgnesError(error)).toBe(true);
        expect((error as Error).message).toContain("sources.a.");
        expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("hunter22");
        return;
      }
      throw new Error("the configuration was taken");
    });
  }
});

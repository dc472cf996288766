import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { circleViolations, layerTableViolations, layerViolations } from "../../tools/layers.ts";
import { ROOT, sourceFiles } from "../../tools/source.ts";

describe("layers", () => {
  test("layerViolations() finds none in the repository", () => {
    const files = sourceFiles([".ts"], ["lib/", "plugins/", "cmd/", "tests/testing/plugins/"]);
    expect(files.length).toBeGreaterThan(20);
    expect(layerViolations(files)).toEqual([]);
  });

  const seeded: readonly [string, string, string][] = [
    ["lib/base/a.ts", `import { x } from "../kit/mod.ts";`, "down the layers"],
    ["lib/duckdb/a.ts", `import type { X } from "../catalog/mod.ts";`, "down the layers"],
    ["lib/kit/a.ts", `const x = await import("../extract/mod.ts");`, "down the layers"],
    ["lib/kit/a.ts", `const path = "../extract/mod.ts"; await import(path);`, "not a literal"],
    ["plugins/files/a.ts", `const path = "agnes"; await import(path);`, "not a literal"],
    ["lib/kit/a.ts", `export let x: import("../extract/mod.ts").X;`, "down the layers"],
    ["lib/kit/a.ts", `export * from "../extract/mod.ts";`, "down the layers"],
    ["lib/plugins/a.ts", `import { x } from "../sources/mod.ts";`, "down the layers"],
    ["lib/sources/a.ts", `import { x } from "../extract/mod.ts";`, "down the layers"],
    ["lib/sources/a.ts", `import type { X } from "../query/mod.ts";`, "down the layers"],
    ["lib/sql/a.ts", `import { x } from "../analytics/mod.ts";`, "down the layers"],
    ["lib/analytics/a.ts", `import { x } from "../sync/mod.ts";`, "down the layers"],
    ["lib/extract/a.ts", `import { x } from "../duckdb/copy.ts";`, "through its mod.ts"],
    ["lib/analytics/a.ts", `import { x } from "../extract/format/paths.ts";`, "through its mod.ts"],
    ["lib/extract/a.ts", `import { x } from "../push/mod.ts";`, "down the layers"],
    ["lib/extract/a.ts", `import { x } from "../agnes.ts";`, "above all layers"],
    ["lib/extract/a.ts", `import { x } from "../testing/mod.ts";`, "only tests"],
    ["lib/extract/a.ts", `import { x } from "../../plugins/files/plugin.ts";`, "only lib"],
    ["lib/extract/a.ts", `import { x } from "../kit/public.ts";`, "through its mod.ts"],
    ["lib/extract/a.ts", `import { x } from "agnes/kit";`, "by path"],
    ["lib/extract/read/a.ts", `import { x } from "../write/staged.ts";`, "down their layers only"],
    ["lib/extract/state/a.ts", `import type { X } from "../publish/publish.ts";`, "down their layers only"],
    ["lib/extract/format/a.ts", `import { x } from "../job/plan.ts";`, "down their layers only"],
    ["lib/extract/merge/a.ts", `import { x } from "../extract-table.ts";`, "the files beside it"],
    ["lib/extract/merge/a.ts", `import { x } from "../mod.ts";`, "the files beside it"],
    ["lib/extract/ghost/a.ts", `import { x } from "../format/paths.ts";`, "has no layer"],
    ["lib/extract/merge/a.ts", `import { x } from "../ghost/a.ts";`, "has no layer"],
    ["lib/unknown/a.ts", `import { x } from "../base/mod.ts";`, "no layer"],
    ["plugins/files/plugin.ts", `import { x } from "agnes/testing";`, "kit alone"],
    ["plugins/files/plugin.ts", `import { x } from "../../lib/kit/mod.ts";`, "kit alone"],
    ["plugins/files/plugin.ts", `import { x } from "../duckdb/plugin.ts";`, "kit alone"],
    ["cmd/commands/a.ts", `import { x } from "../../lib/extract/run.ts";`, "through its mod.ts"],
    ["cmd/commands/a.ts", `import { x } from "../../lib/catalog/public.ts";`, "through its mod.ts"],
    ["lib/base/a.ts", `createRequire(import.meta.url)("../sync/mod.ts");`, "down the layers"],
    ["lib/base/a.ts", `new Worker(new URL("../sync/mod.ts", import.meta.url));`, "down the layers"],
    ["lib/base/a.ts", "new URL(`../sync/mod.ts`, import.meta.url);", "down the layers"],
    ["lib/base/a.ts", `import { createRequire } from "node:module";`, "by path"],
    ["plugins/files/a.ts", `new URL("../../lib/sync/mod.ts", import.meta.url);`, "kit alone"],
    ["tests/testing/plugins/a.ts", `import { x } from "../../../lib/kit/mod.ts";`, "kit alone"],
    ["cmd/commands/a.ts", `import { x } from "../../plugins/files/whole.ts";`, "by its plugin.ts"],
    ["cmd/terminal/a.ts", `import type { Cli } from "../cli/cli.ts";`, "knows no command"],
  ];
  for (const [path, text, reason] of seeded) {
    test(`layerViolations() catches ${text} in ${path}`, () => {
      expect(layerViolations([{ path, text }])[0]).toContain(reason);
    });
  }

  test("circleViolations() finds none in the repository", () => {
    expect(circleViolations(sourceFiles([".ts"], ["lib/", "plugins/", "cmd/", "tools/"]))).toEqual([]);
  });

  test("circleViolations() catches files that import each other by import()", () => {
    const files = [
      { path: "cmd/commands/a.ts", text: `export const load = () => import("../main.ts");` },
      { path: "cmd/main.ts", text: `export const load = () => import("./commands/a.ts");` },
    ];
    expect(circleViolations(files)).toEqual([
      "these import each other: cmd/commands/a.ts → cmd/main.ts → cmd/commands/a.ts",
    ]);
  });

  test("circleViolations() catches folders that import each other, in cmd and inside a folder of lib", () => {
    const circle = (folder: string) => [
      { path: `${folder}/one/a.ts`, text: `import type { X } from "../two/deep/b.ts";` },
      { path: `${folder}/two/c.ts`, text: `import { x } from "../three/d.ts";` },
      { path: `${folder}/three/e.ts`, text: `export * from "../one/f.ts";` },
    ];
    for (const folder of ["cmd", "lib/duckdb", "lib/duckdb/files"]) {
      const names = ["one", "two", "three", "one"].map((name) => `${folder}/${name}`);
      expect(circleViolations(circle(folder))).toEqual([`these import each other: ${names.join(" → ")}`]);
      expect(circleViolations(circle(folder).slice(1))).toEqual([]);
    }
  });

  test("oxlint catches files that import each other, types included", () => {
    const directory = mkdtempSync(join(tmpdir(), "agnes-circle-"));
    writeFileSync(join(directory, "a.ts"), `import type { B } from "./b.ts";\nexport type A = B | 1;\n`);
    writeFileSync(join(directory, "b.ts"), `import type { A } from "./a.ts";\nexport type B = A | 2;\n`);
    const { stdout, status } = spawnSync(
      join(ROOT, "node_modules/.bin/oxlint"),
      ["--config", join(ROOT, ".oxlintrc.json"), directory],
      { encoding: "utf8" },
    );
    rmSync(directory, { recursive: true });
    expect(stdout).toContain("import(no-cycle)");
    expect(status).toBe(1);
  });

  test("layerViolations() accepts imports that go down", () => {
    const files = [
      { path: "lib/extract/a.ts", text: `import { x } from "../duckdb/mod.ts"; import { y } from "./b.ts";` },
      {
        path: "plugins/files/plugin.ts",
        text: `import { x } from "agnes/kit"; import * as v from "valibot";`,
      },
      { path: "lib/analytics/a.ts", text: `import { x } from "../extract/format/mod.ts";` },
      { path: "lib/extract/a.ts", text: `import { x } from "./publish/publish.ts";` },
      { path: "lib/extract/publish/a.ts", text: `import { x } from "../merge/merge.ts";` },
      { path: "lib/agnes.ts", text: `import { x } from "./extract/mod.ts";` },
      { path: "cmd/commands/a.ts", text: `import { x } from "../../lib/extract/mod.ts";` },
      { path: "cmd/plugins.ts", text: `const x = import("../plugins/files/plugin.ts");` },
    ];
    expect(layerViolations(files)).toEqual([]);
  });

  const architecture = readFileSync(join(ROOT, "ARCHITECTURE.md"), "utf8");

  test("layerTableViolations() finds that ARCHITECTURE.md shows the layers of the code", () => {
    const entries = readdirSync(join(ROOT, "lib"), { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    expect(folders.length).toBeGreaterThan(8);
    expect(layerTableViolations(architecture, folders)).toEqual([]);
  });

  test("layerTableViolations() catches a folder on another layer and one that is left out", () => {
    const wrong = architecture.replace(/^\| 5 ( +\| `lib\/extract)/m, "| 6 $1");
    expect(layerTableViolations(wrong, ["extract", "ghost"])).toEqual([
      "ARCHITECTURE.md puts lib/extract/ on layer 6",
      "ARCHITECTURE.md puts lib/ghost/ on layer none",
    ]);
  });
});

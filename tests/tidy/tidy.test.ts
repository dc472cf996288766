import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { errorCodes } from "../../lib/base/mod.ts";
import { ROOT, sourceFiles } from "../../tools/source.ts";
import {
  dependencyViolations,
  errorCodeViolations,
  lockViolations,
  publishViolations,
  replacerViolations,
  runtimeViolations,
  sizeViolations,
  vendorViolations,
  hostViolations,
  textViolations,
} from "../../tools/tidy.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const code = sourceFiles([".ts"]);

describe("tidy", () => {
  test("sizeViolations() finds none in the repository", () => {
    expect(sizeViolations(code)).toEqual([]);
  });

  test("sizeViolations() catches a file of 401 lines and lets one of 400 pass", () => {
    expect(sizeViolations([{ path: "a.ts", text: "x\n".repeat(401) }])).toHaveLength(1);
    expect(sizeViolations([{ path: "a.ts", text: "x\n".repeat(400) }])).toEqual([]);
  });

  test("publishViolations() finds none in the repository", () => {
    expect(publishViolations(code)).toEqual([]);
  });

  test("publishViolations() catches a rename of its own, in lib, plugins and cmd, by any name", () => {
    const texts = [
      "await files.rename(a, b);",
      "fs.renameSync(a, b);",
      "await rename(a, b);",
      'await files["rename"](a, b);',
      "const { rename: move } = files;",
      'import { rename as move } from "node:fs/promises";',
      "const move = files.rename;",
    ];
    for (const text of texts) {
      for (const path of ["lib/sync/a.ts", "plugins/files/a.ts", "cmd/native/a.ts"])
        expect(publishViolations([{ path, text }])).toHaveLength(1);
    }
    expect(publishViolations([{ path: "lib/base/publish.ts", text: texts[0]! }])).toEqual([]);
  });

  test("replacerViolations() finds none in the repository", () => {
    expect(replacerViolations(code.filter(({ path }) => /^(lib|cmd|plugins)[/]/.test(path)))).toEqual([]);
  });

  test("replacerViolations() catches a replacer of its own for a bigint", () => {
    const own = 'JSON.stringify(x, (key, y) => (typeof y === "bigint" ? `${y}n` : y));';
    expect(replacerViolations([{ path: "lib/a.ts", text: own }])).toHaveLength(1);
    const shared = 'typeof x === "bigint"; JSON.stringify(x, (key, y) => bigintAsText(key, y));';
    expect(replacerViolations([{ path: "lib/a.ts", text: shared }])).toEqual([]);
  });

  test("errorCodeViolations() finds none in the repository", () => {
    expect(errorCodeViolations(code, Object.keys(errorCodes))).toEqual([]);
  });

  test("errorCodeViolations() catches a code of one plugin, and one that is not used", () => {
    const files = ["lib/base/errors/a.ts", "plugins/s3/a.ts"].map((path) => ({ path, text: '"gone"' }));
    expect(errorCodeViolations(files, ["gone", "unused"])).toHaveLength(2);
    const users = [...files, { path: "plugins/files/a.ts", text: '"gone"' }];
    expect(errorCodeViolations(users, ["gone"])).toEqual([]);
  });

  test("vendorViolations() finds none in the repository", () => {
    expect(vendorViolations(code)).toEqual([]);
  });

  test("vendorViolations() catches a vendor in code of lib, and none in comments and plugins", () => {
    const text = `/** For BigQuery. */ const hosts = ["https://x.s3.amazonaws.com"]; // Azure`;
    expect(vendorViolations([{ path: "lib/base/a.ts", text }])).toEqual([
      "lib/base/a.ts names amazonaws: vendor facts belong to a plugin",
    ]);
    expect(vendorViolations([{ path: "plugins/s3/a.ts", text }])).toEqual([]);
    expect(vendorViolations([{ path: "lib/base/a.ts", text: text.replace("amazonaws", "example") }])).toEqual(
      [],
    );
  });

  test("hostViolations() finds none in the repository", () => {
    expect(hostViolations(code)).toEqual([]);
  });

  test("hostViolations() catches an import of node:fs outside lib/base and lib/testing", () => {
    const text = `import { readFile } from "node:fs/promises";`;
    expect(hostViolations([{ path: "lib/sync/a.ts", text }])).toEqual([
      "lib/sync/a.ts imports node:fs: use the files of Host",
    ]);
    for (const path of ["lib/base/files.ts", "lib/testing/a.ts", "plugins/files/a.ts"])
      expect(hostViolations([{ path, text }])).toEqual([]);
  });

  test("hostViolations() catches a database that is opened without the files of the host", () => {
    const path = "lib/sync/a.ts";
    for (const options of ["", "{ limits }"]) {
      expect(hostViolations([{ path, text: `await openDatabase(${options});` }])).toEqual([
        "lib/sync/a.ts opens a database without the files of Host",
      ]);
    }
    for (const options of ["{ files, limits }", "{ files: services.host.files }"])
      expect(hostViolations([{ path, text: `await openDatabase(${options});` }])).toEqual([]);
  });

  test("textViolations() finds none in the repository", () => {
    expect(textViolations(sourceFiles([".ts", ".md", ".json", ".yaml", ".toml", "run"]))).toEqual([]);
  });

  test("textViolations() catches each forbidden word", () => {
    for (const text of [
      `https://regi${"stry"}.npmjs.org/x`,
      `see /wo${"rk"}/main`,
      `test.sk${"ip"}("x")`,
      `// TO${"DO"}: later`,
    ]) {
      expect(textViolations([{ path: "a.ts", text }])).toHaveLength(1);
    }
  });

  test("runtimeViolations() finds none in lib and plugins", () => {
    expect(runtimeViolations(sourceFiles([".ts"], ["lib/", "plugins/"]))).toEqual([]);
  });

  test("runtimeViolations() catches a global, an import and what Node 20 lacks", () => {
    expect(runtimeViolations([{ path: "a.ts", text: `Promise.${"withResolvers"}()` }])).toHaveLength(1);
    expect(runtimeViolations([{ path: "a.ts", text: `await Bun.${"file"}("x")` }])).toHaveLength(1);
    expect(runtimeViolations([{ path: "a.ts", text: `globalThis.${"Bun"}` }])).toHaveLength(1);
    expect(runtimeViolations([{ path: "a.ts", text: `import { x } from "bun:${"ffi"}"` }])).toHaveLength(1);
    expect(runtimeViolations([{ path: "a.ts", text: `/** As in Bun. */ export const x = 1;` }])).toEqual([]);
  });

  test("dependencyViolations() finds none in package.json", () => {
    expect(dependencyViolations(JSON.parse(read("package.json")) as object, read("ARCHITECTURE.md"))).toEqual(
      [],
    );
  });

  test("dependencyViolations() catches a range and an unexplained package", () => {
    expect(dependencyViolations({ dependencies: { a: "^1.0.0" } }, "")).toHaveLength(2);
    expect(dependencyViolations({ dependencies: { a: "1.0.0" } }, "`a`")).toEqual([]);
  });

  test("lockViolations() finds none in package-lock.json", () => {
    expect(
      lockViolations(JSON.parse(read("package-lock.json")) as Parameters<typeof lockViolations>[0]),
    ).toEqual([]);
  });

  test("lockViolations() catches an address and a platform that was left out", () => {
    const packages = {
      "node_modules/a": {
        resolved: "https://example.com/a.tgz",
        optionalDependencies: { "a-linux": "1", "a-darwin": "1" },
      },
      "node_modules/a-linux": {},
    };
    expect(lockViolations({ packages })).toEqual([
      "the lock file names https://example.com/a.tgz",
      "the lock file lacks a-darwin",
    ]);
  });
});

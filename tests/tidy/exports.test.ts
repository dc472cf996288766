import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { exportViolations } from "../../tools/exports.ts";
import { publicSymbols } from "../../tools/reference/modules.ts";
import { ROOT } from "../../tools/source.ts";

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  exports: Record<string, { types: string; default: string }>;
};
const tsconfig = JSON.parse(readFileSync(join(ROOT, "tsconfig.json"), "utf8")) as {
  compilerOptions: { paths: Record<string, [string]> };
};
const plugins = readdirSync(join(ROOT, "plugins"));
const exists = (path: string) => existsSync(join(ROOT, path));

/** All public names that exist at run time. A new one needs a user outside this repository. */
const VALUES: Readonly<Record<string, string>> = {
  "lib/mod.ts":
    "AgnesError ServerState createAgnes createLog isAgnesError runQueryWorker runSyncProcess writeResult",
  "lib/kit/public.ts":
    "AgnesError Secret arrow arrowColumn binary bool checkExposedName checkVendorName createRowBuilder cursorDate date " +
    "decimal defineErrors definePlugin errorSpec filterToSql float64 formatValue int32 int64 isQueryArray json list mergeParts " +
    "optionalPackage parseFileReading permanent processMark quoteIdentifier quoteLiteral struct table timestamp timestampWithZone " +
    "toExposedName toSchema toSelectSql transient utf8 verifyHmac withOrigin",
  "lib/catalog/public.ts": "fileStorage memoryStorage openCatalog",
  "lib/testing/mod.ts":
    "connectorContract fakeHost fakeServer faultyFetch pageCursors rateLimited recordingLog runCases scriptedJob " +
    "signedSlices simulateStorage storageContract withFaults",
};

describe("exports", () => {
  for (const [face, names] of Object.entries(VALUES)) {
    test(`${face} exports no function, class or value besides the public ones`, async () => {
      const module = (await import(join(ROOT, face))) as object;
      expect(Object.keys(module).toSorted()).toEqual(names.split(" "));
    });
  }

  test("publicSymbols() finds every name that exists at run time", () => {
    const types = new Set(["interface", "type"]);
    for (const [face, names] of Object.entries(VALUES)) {
      const found = publicSymbols(face).flatMap(({ name, kind }) => (types.has(kind) ? [] : [name]));
      expect(found).toEqual(expect.arrayContaining(names.split(" ")));
    }
  });

  test("exportViolations() finds none: exports map, paths and folders agree", () => {
    expect(exportViolations(manifest.exports, tsconfig.compilerOptions.paths, plugins, exists)).toEqual([]);
  });

  test("exportViolations() catches an entry without a file, one without a path, and a plugin without a plugin.ts", () => {
    const broken = {
      ...manifest.exports,
      "./extra": { types: "./dist/lib/extra.d.ts", default: "./dist/lib/extra.js" },
    };
    const found = exportViolations(broken, tsconfig.compilerOptions.paths, [...plugins, "ghost"], exists);
    expect(found).toEqual([
      "./extra is exported, but lib/extra.ts does not exist",
      "./extra is exported, but tsconfig.json gives agnes/extra no path",
      "plugins/ghost has no plugin.ts",
    ]);
  });

  test("exportViolations() catches a path for something that is not exported", () => {
    const paths = { ...tsconfig.compilerOptions.paths, "agnes/secret": ["./lib/secret.ts"] as [string] };
    expect(exportViolations(manifest.exports, paths, plugins, exists)).toEqual([
      "tsconfig.json gives agnes/secret a path, but it is not exported",
    ]);
  });

  test("exportViolations() catches types and code that come from different files", () => {
    const broken = { ".": { types: "./dist/lib/other.d.ts", default: "./dist/lib/mod.js" } };
    expect(exportViolations(broken, { agnes: ["./lib/mod.ts"] }, [], () => true)).toHaveLength(1);
  });
});

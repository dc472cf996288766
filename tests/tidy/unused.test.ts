import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { ROOT } from "../../tools/source.ts";

test("knip --production catches exports that only tests use, and faces that only tests need", () => {
  const directory = mkdtempSync(join(tmpdir(), "agnes-unused-"));
  const files = {
    "package.json": `{ "name": "unused", "type": "module" }`,
    "lib/mod.ts": `export { inside, used } from "./base/mod.ts";`,
    "lib/base/mod.ts": `export { inside, used } from "./used.ts";\nexport { faced } from "./faced.ts";`,
    "lib/base/used.ts": `export const used = 1;\nexport function inside() { return faced(); }\nimport { faced } from "./faced.ts";`,
    "lib/base/faced.ts": `export function faced() { return helper(); }\nexport function helper() { return 1; }\nexport function orphan() {}`,
    "tests/base.test.ts": `import { faced } from "../lib/base/mod.ts";\nimport { orphan } from "../lib/base/faced.ts";\nfaced();\norphan();`,
  };
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
    cpSync(join(ROOT, "knip.ts"), join(directory, "knip.ts"));
    const knip = (...more: readonly string[]) =>
      spawnSync(
        join(ROOT, "node_modules/.bin/knip"),
        ["--no-config-hints", "--include", "exports", ...more],
        {
          cwd: directory,
          encoding: "utf8",
        },
      );
    const all = knip();
    expect(all.stdout).toMatch(/^helper +function +lib\/base\/faced\.ts/m);
    expect(all.stdout).toContain("Unused exports (1)");
    expect(all.status).toBe(1);
    const { stdout, status } = knip("--production");
    expect(stdout).toMatch(/^faced +lib\/base\/mod\.ts/m);
    expect(stdout).toMatch(/^orphan +function +lib\/base\/faced\.ts/m);
    expect(stdout).toContain("Unused exports (2)");
    expect(status).toBe(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCases, type ContractCase } from "agnes/testing";

// Many databases are opened here; a busy machine takes its time.
setDefaultTimeout(60_000);

const GUIDE = join(import.meta.dir, "../../docs/guide/write-a-connector.md");
const TESTING = join(import.meta.dir, "../../lib/testing/mod.ts");
const CONNECTOR = join(import.meta.dir, "plugins/crm.ts");

/** The TypeScript blocks of the guide, in order. */
async function blocks(): Promise<readonly string[]> {
  const text = await readFile(GUIDE, "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
}

describe("docs/guide/write-a-connector.md", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "agnes-guide-"));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs code of the guide as a module; its imports are those of the repository. */
  const load = async (name: string, code: string): Promise<unknown> => {
    const path = join(folder, name);
    const placed = code
      .replaceAll('from "../plugins/crm.ts"', `from ${JSON.stringify(CONNECTOR)}`)
      .replaceAll('from "agnes/testing"', `from ${JSON.stringify(TESTING)}`);
    await writeFile(path, placed);
    return import(path);
  };

  test("its connector is the one that passes the contract, and has at most 80 lines", async () => {
    const [connector] = await blocks();
    expect(connector).toBe(await readFile(CONNECTOR, "utf8"));
    expect(connector!.split("\n").length).toBeLessThanOrEqual(80);
  });

  test("its test runs as it stands and every case passes", async () => {
    const [, suite] = await blocks();
    // The loop hands the cases to a runner; here they are handed to this test.
    const code = suite!
      .replace(/^import \{ test \}.*$/m, "const cases = [];")
      .replace("test(name, run)", "cases.push({ name, needs: [], run })");
    const { cases } = (await load("suite.ts", `${code}\nexport { cases };`)) as {
      cases: readonly ContractCase[];
    };
    expect(cases.length).toBeGreaterThan(20);
    const results = await runCases(cases);
    expect(results.filter((result) => !result.ok)).toEqual([]);
  });

  test("the case that its exception names exists", async () => {
    const [, , exceptions] = await blocks();
    await load("exceptions.ts", exceptions!);
  });
});

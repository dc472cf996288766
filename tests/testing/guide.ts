import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ContractCase } from "agnes/testing";

const GUIDE = join(import.meta.dir, "../../docs/guide/write-a-connector.md");
const TESTING = join(import.meta.dir, "../../lib/testing/mod.ts");
/** The connector of the guide. */
export const CRM_CONNECTOR = join(import.meta.dir, "plugins/crm.ts");

/** The TypeScript blocks of the guide, in order. */
export async function guideBlocks(): Promise<readonly string[]> {
  const text = await readFile(GUIDE, "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
}

/** Runs code of the guide as a module; imports resolve to the repository. */
export async function loadGuideCode(folder: string, name: string, code: string): Promise<unknown> {
  const path = join(folder, name);
  const placed = code
    .replaceAll('from "../plugins/crm.ts"', `from ${JSON.stringify(CRM_CONNECTOR)}`)
    .replaceAll('from "agnes/testing"', `from ${JSON.stringify(TESTING)}`);
  await writeFile(path, placed);
  return import(path);
}

/** The cases of the suite in the guide. */
export async function suiteCases(folder: string): Promise<readonly ContractCase[]> {
  const [, suite] = await guideBlocks();
  // The loop passes the cases to a test runner; here it collects them.
  const code = suite!
    .replace(/^import \{ test \}.*$/m, "const cases = [];")
    .replace("test(name, run, 120_000)", "cases.push({ name, needs: [], run })");
  const { cases } = (await loadGuideCode(folder, "suite.ts", `${code}\nexport { cases };`)) as {
    cases: readonly ContractCase[];
  };
  return cases;
}

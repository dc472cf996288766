import { expect } from "bun:test";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Agnes } from "agnes";
import type { ContractCase } from "agnes/testing";

const TESTING = join(import.meta.dir, "../../lib/testing/mod.ts");

/** A page of the guide: its connector, and the test of the connector. */
export type GuidePage =
  "write-a-connector" | "export-connector" | "helpdesk-connector" | "query-connector" | "keboola";

/** The TypeScript blocks of a page, in order. */
export async function guideBlocks(page: GuidePage): Promise<readonly string[]> {
  const text = await readFile(join(import.meta.dir, `../../docs/guide/${page}.md`), "utf8");
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);
}

/** The TypeScript blocks of a page that use the contract suite: the test of its connector comes first. */
export async function suiteBlocks(page: GuidePage): Promise<readonly string[]> {
  return (await guideBlocks(page)).filter((code) => code.includes('from "agnes/testing"'));
}

/** Runs code of the guide as a module; imports resolve to the repository. */
export async function loadGuideCode(folder: string, name: string, code: string): Promise<unknown> {
  const path = join(folder, name);
  const placed = code
    .replaceAll('from "../plugins/', `from "${join(import.meta.dir, "plugins")}/`)
    .replaceAll('from "agnes/testing"', `from ${JSON.stringify(TESTING)}`);
  await writeFile(path, placed);
  return import(path);
}

/** Runs an example of the guide that opens a workspace with `createAgnes`, and returns the lines that it prints. */
export async function runExample(
  folder: string,
  code: string,
  createAgnes: () => Promise<Agnes>,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const console = {
    log: (...texts: readonly unknown[]) => void lines.push(texts.map(String).join(" ").trim()),
  };
  // The example closes its workspace.
  const body = code
    .replaceAll(/^import .*\n/gm, "")
    .replace("createAgnes({ plugins: [keboola] })", "createAgnes()");
  const { run } = (await loadGuideCode(
    folder,
    `example-${Bun.hash(code)}.ts`,
    `export async function run({ createAgnes, console }) {\n${body}}\n`,
  )) as { run: (given: object) => Promise<void> };
  await run({ createAgnes, console });
  return lines;
}

/** Fails unless the first block of a page is the tested connector, with at most 80 lines. */
export async function assertGuideConnector(page: GuidePage, plugin: string): Promise<void> {
  const [shown] = await guideBlocks(page);
  expect(shown).toBe(await readFile(join(import.meta.dir, "plugins", plugin), "utf8"));
  expect(shown!.split("\n").length).toBeLessThanOrEqual(80);
}

/** The cases of the suite in the test of a page. */
export async function suiteCases(
  folder: string,
  page: GuidePage = "write-a-connector",
): Promise<readonly ContractCase[]> {
  const [suite] = await suiteBlocks(page);
  // The loop passes the cases to a test runner; here it collects them.
  const code = suite!
    .replace(/^import \{ test \}.*$/m, "const cases = [];")
    .replace("test(name, run, 120_000)", "cases.push({ name, needs: [], run })");
  const { cases } = (await loadGuideCode(folder, `${page}.ts`, `${code}\nexport { cases };`)) as {
    cases: readonly ContractCase[];
  };
  return cases;
}

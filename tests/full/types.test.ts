import { expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { runCli, temporaryDirectory } from "../cmd/run-cli.ts";

const execute = promisify(execFile);
const compiler = join(import.meta.dir, "../../node_modules/.bin/tsc");

/** What the compiler finds in the plugins of a workspace. */
async function compile(workspace: string): Promise<string> {
  const options = ["-p", join(workspace, "plugins"), "--pretty", "false"];
  const { stdout } = await execute(compiler, options, { cwd: workspace }).catch(
    (error: unknown) => error as { stdout: string },
  );
  return stdout;
}

test("agnes connector new gives a plugin that compiles in a folder with nothing else in it", async () => {
  using own = temporaryDirectory();
  const here = { cwd: own.path };
  await runCli(["init"], here);
  expect((await runCli(["connector", "new", "crm"], here)).status).toBe(0);
  expect(
    (await runCli(["connector", "new", "erp", "--capabilities", "read,query,remote,metadata"], here)).status,
  ).toBe(0);
  expect(await compile(own.path)).toBe("");
  // The types are known, not merely any: mistakes in each of the libraries are found.
  const plugin = join(own.path, "plugins/crm/plugin.ts");
  const text = readFileSync(plugin, "utf8");
  writeFileSync(
    plugin,
    `${text
      .replace('capabilities: ["discover", "read"]', 'capabilities: ["discover", "raed"]')
      .replace(
        "v.url()",
        "v.urll()",
      )}\nimport { tableFromArrays } from "apache-arrow";\ntableFromArrays(1);\n`,
  );
  const test = join(own.path, "plugins/crm/plugin.test.ts");
  writeFileSync(test, readFileSync(test, "utf8").replace("options: {}", "optoins: {}"));
  const found = await compile(own.path);
  expect(found).toContain('"raed"');
  expect(found).toContain("Property 'urll' does not exist");
  expect(found).toMatch(/plugin\.ts.*Argument of type 'number' is not assignable|No overload matches/);
  expect(found).toContain("'optoins' does not exist");
});

test("agnes connector types writes the declarations again and leaves tsconfig.json alone", async () => {
  using own = temporaryDirectory();
  const here = { cwd: own.path };
  await runCli(["init"], here);
  await runCli(["connector", "new", "crm"], here);
  const config = join(own.path, "plugins/tsconfig.json");
  const changed = readFileSync(config, "utf8").replace('"es2023"', '"es2024"');
  writeFileSync(config, changed);
  rmSync(join(own.path, "plugins/.types"), { recursive: true });
  expect((await runCli(["connector", "types"], here)).status).toBe(0);
  expect(readFileSync(config, "utf8")).toBe(changed);
  expect(await compile(own.path)).toBe("");
});

import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { writeExtract } from "../analytics/extract-files.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

setDefaultTimeout(120_000);

/** The commands in a text, as a shell would take them apart. */
function commandsIn(text: string): readonly (readonly string[])[] {
  return [...text.matchAll(/`agnes ([^`]+)`/g)].map(([, line]) =>
    [...line!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!),
  );
}

test("the remedies of agnes sync and agnes doctor for foreign extracts work", async () => {
  using directory = temporaryDirectory();
  const cwd = directory.path;
  const data = join(cwd, "data");
  const run = (...args: readonly string[]) => runCli(args, { cwd });
  mkdirSync(join(cwd, "in"));
  writeFileSync(join(cwd, "in", "people.csv"), "id\n1\n");
  writeFileSync(
    join(cwd, "agnes.yaml"),
    "version: 1\nsources:\n  s: { plugin: files, register: all, options: { path: in } }\n",
  );
  const orders = { tables: [{ name: "orders", rows: "SELECT 1 AS id" }] };
  await writeExtract(data, "first", orders);
  expect((await run("sync")).status).toBe(0);
  await writeExtract(data, "another", orders);
  await writeExtract(data, "people", { tables: [{ name: "people", rows: "SELECT 1 AS id" }] });
  mkdirSync(join(data, "extracts", "empty"));
  writeFileSync(join(data, "extracts", "empty", "extract.duckdb"), "");
  const synced = await run("sync");
  expect(synced.stderr).toContain(
    "another.orders does not have the view name orders, because first.orders has it",
  );
  expect(synced.stderr).toContain(
    "people.people does not have the view name people, because s.people has it",
  );
  const { checks } = JSON.parse((await run("doctor", "--json")).stdout) as {
    readonly checks: readonly { readonly hint?: string }[];
  };
  const commands = commandsIn([synced.stderr, ...checks.map(({ hint }) => hint ?? "")].join("\n"));
  expect(commands).toContainEqual(["query", "SELECT * FROM another.orders"]);
  expect(commands).toContainEqual(["sync"]);
  for (const command of commands) {
    const { status, stderr } = await run(...command);
    expect({ command, status, stderr: status === 0 ? "" : stderr }).toEqual({
      command,
      status: 0,
      stderr: "",
    });
  }
});

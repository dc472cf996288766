import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

async function workspace() {
  const directory = temporaryDirectory();
  const source = "{ plugin: files, register: listed, options: { path: ./exports } }";
  await writeFile(
    join(directory.path, "agnes.yaml"),
    `version: 1\nsources:\n  crm: ${source}\n  files_of_us: ${source}\n`,
  );
  const complete = async (...words: string[]): Promise<readonly string[]> => {
    const { status, stdout, stderr } = await runCli(["complete", "--", ...words], { cwd: directory.path });
    expect([status, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.pop()).toBe(":4");
    return lines.map((line) => line.split("\t")[0]!);
  };
  return { ...directory, complete };
}

test("agnes complete offers the names of the workspace and the values of options", async () => {
  using own = await workspace();
  const { complete } = own;
  expect(await complete("schema", "")).toEqual([]);
  const add = ["table", "register", "crm", "in.c-main.orders", "--as", "sales"];
  expect((await runCli(add, { cwd: own.path })).status).toBe(0);
  const cases: readonly (readonly [words: readonly string[], values: readonly string[]])[] = [
    [
      ["schema", ""],
      ["sales", "crm.orders"],
    ],
    [["table", "update", "cr"], ["crm.orders"]],
    [
      ["table", "register", ""],
      ["crm", "files_of_us"],
    ],
    [["table", "register", "crm", ""], []],
    [
      ["sync", ""],
      ["crm", "files_of_us", "sales", "crm.orders"],
    ],
    [["sync", "crm", "fi"], ["files_of_us"]],
    [
      ["table", "list", "--source", ""],
      ["crm", "files_of_us"],
    ],
    [
      ["table", "list", "--source="],
      ["crm", "files_of_us"],
    ],
    [["table", "list", "--bucket", ""], ["in.c-main"]],
    [["table", "update", "sales", "--mode", "re"], ["remote"]],
    [
      ["table", "update", "sales", "--quarantine", ""],
      ["true", "false"],
    ],
    [["query", "SELECT 1", "-f", "p"], ["parquet"]],
    [["query", "SELECT 1", "--limit", "5", "--form"], ["--format"]],
    [
      ["connector", "show", "f"],
      ["files", "files_of_us"],
    ],
    [["connector", "new", ""], []],
    [["connector", "new", "x", "--capabilities", "d"], ["discover"]],
    [
      ["connector", "new", "x", "--capabilities", "discover,re"],
      ["discover,read", "discover,remote"],
    ],
    [["connector", "new", "x", "--capabilities=read,di"], ["read,discover"]],
    [["table", "update", "sales", "--bucket", ""], ["in.c-main"]],
    [["complete", "b"], ["bash"]],
    [["sync", "--f"], ["--full"]],
    [["sync", "--so"], []],
    [["connector", "di"], ["discover"]],
    [["--workspace", "/nowhere", "sync", ""], []],
    [["table", "show", "--ser"], ["--server"]],
    // The tables of the workspace are not those of the server.
    [["table", "show", "--server", "https://agnes.example.com", "sa"], []],
  ];
  for (const [words, values] of cases) expect([words, await complete(...words)]).toEqual([words, values]);
});

test("agnes complete offers what it can when agnes.yaml or the registry cannot be read", async () => {
  using own = await workspace();
  await runCli(["table", "register", "crm", "orders"], { cwd: own.path });
  await writeFile(join(own.path, "data", "state", "tables", "schema.json"), "{");
  expect(await own.complete("sync", "")).toEqual(["crm", "files_of_us"]);
  await writeFile(join(own.path, "agnes.yaml"), ": ][");
  expect(await own.complete("sync", "")).toEqual([]);
  expect(await own.complete("connector", "show", "f")).toEqual(["files"]);
});

test("agnes complete bash prints a script that bash loads twice and that needs no package", async () => {
  using own = await workspace();
  const { stdout: script } = await runCli(["complete", "bash"], { cwd: own.path });
  await writeFile(join(own.path, "agnes.bash"), script);
  const replies = (line: string, values: string) => {
    // `compopt` is for real completions alone.
    const lines = [
      "source ./agnes.bash; source ./agnes.bash; compopt() { :; }",
      `agnes() { printf '${values}\\n:4\\n'; }`,
      `COMP_LINE=${JSON.stringify(line)}; COMP_POINT=\${#COMP_LINE}`,
      `__agnes_complete; printf "%s\\n" "\${COMPREPLY[@]}"`,
    ];
    // No shell has the completion functions of others loaded that reads no profile.
    const result = Bun.spawnSync(["bash", "--noprofile", "--norc", "-c", lines.join("\n")], {
      cwd: own.path,
    });
    return [result.stdout.toString().trimEnd().split("\n"), result.stderr.toString()];
  };
  expect(replies("agnes sync cr", "crm\\tSources\\nother")).toEqual([["crm"], ""]);
  expect(replies("agnes sync ", "crm\\nother")).toEqual([["crm", "other"], ""]);
  expect(replies("agnes table list --source=cr", "crm\\nother")).toEqual([["crm"], ""]);
});

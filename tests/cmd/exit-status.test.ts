import { describe, expect, test } from "bun:test";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { exitStatuses } from "../../cmd/cli/exit-status.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

/** A workspace with a good source, one with a bad table, one that cannot be read, and a plugin that does not load. */
async function workspace() {
  const directory = temporaryDirectory();
  const write = async (path: string, text: string) => {
    await mkdir(join(directory.path, path, ".."), { recursive: true });
    await writeFile(join(directory.path, path), text);
  };
  const files = (path: string) => `{ plugin: files, register: all, options: { path: ./${path} } }`;
  const sources = [
    `good: ${files("good")}`,
    `mixed: ${files("mixed")}`,
    `gone: ${files("gone")}`,
    `spoilt: ${files("spoilt")}`,
    "odd_option: { plugin: files, options: { path: ./good, pth: 1 } }",
    "odd_plugin: { plugin: filse }",
    "odd_secret: { plugin: files, options: { path: ./good }, secrets: { TOKEN: TOKEN } }",
    "odd_column: { plugin: files, options: { tables: { odd: { path: ./good/orders.csv, primaryKey: [nothing] } } } }",
  ].join("\n  ");
  await write("agnes.yaml", `version: 1\nsources:\n  ${sources}\n`);
  await write("good/orders.csv", "id,text\n1,a\n");
  await write("mixed/people.csv", "id\n1\n");
  await write("mixed/broken.json", "[{");
  await write("spoilt/broken.json", "[{");
  await write("plugins/bad.ts", "export default 1;\n");
  return directory;
}

/** What a command is, in a workspace as above that was synced, and the status its documentation gives. */
const commands: readonly (readonly [status: keyof typeof exitStatuses, args: readonly string[]])[] = [
  [0, ["sync", "good"]],
  [0, ["catalog"]],
  [0, ["query", "SELECT * FROM orders"]],
  [0, ["table", "list"]],
  [0, ["table", "discover", "good"]],
  [0, ["connector", "discover", "good"]],
  [0, ["connector", "health", "good"]],
  [0, ["table", "unregister", "orders", "--dry-run"]],
  [1, ["sync", "gone"]],
  [1, ["query", "SELECT CAST(text AS INTEGER) FROM orders"]],
  [1, ["query", "SELECT 1 AS a", "--format", "csv", "--output", "good"]],
  [1, ["table", "import", "nothing.json"]],
  [1, ["table", "discover", "gone"]],
  [1, ["connector", "discover", "gone"]],
  [1, ["connector", "health"]],
  [1, ["sync", "spoilt"]],
  [1, ["sync", "spoilt.broken"]],
  [1, ["sync", "odd_option", "spoilt"]],
  [1, ["connector", "discover", "spoilt"]],
  [1, ["table", "discover", "spoilt"]],
  [1, ["table", "discover", "gone", "spoilt"]],
  [1, ["doctor"]],
  [2, ["snyc"]],
  [2, ["sync", "--fulll"]],
  [2, ["sync", "nothing"]],
  [2, ["sync", "good.nothing"]],
  [2, ["sync", "odd_option"]],
  [2, ["sync", "odd_plugin"]],
  [2, ["sync", "odd_secret"]],
  [2, ["sync", "odd_column"]],
  [2, ["table", "discover", "odd_column"]],
  [2, ["connector", "discover", "odd_column"]],
  [2, ["sync", "odd_option", "odd_plugin"]],
  [2, ["connector", "discover", "odd_option"]],
  [2, ["table", "discover", "odd_option", "odd_plugin"]],
  [2, ["query", "SELEC 1"]],
  [2, ["query", "DROP TABLE orders"]],
  [2, ["query", "SELECT 1", "--format", "xml"]],
  [2, ["schema", "nothing"]],
  [2, ["table", "show", "nothing"]],
  [2, ["table", "register", "good", "orders", "--mode", "remot"]],
  [2, ["connector", "show", "nothing"]],
  [2, ["catalog", "--workspace", "/nowhere"]],
  [3, ["sync"]],
  [3, ["sync", "mixed"]],
  [3, ["sync", "good", "odd_option"]],
  [3, ["sync", "good", "gone.nothing"]],
  [3, ["connector", "list"]],
  [3, ["table", "discover", "good", "gone"]],
  [3, ["connector", "discover", "mixed"]],
];

describe("exit statuses", () => {
  test("are those the guide and the reference state", async () => {
    const rows = Object.entries(exitStatuses).map(([status, meaning]) => [status, meaning]);
    for (const page of ["guide/cli.md", "reference/commands.md"]) {
      const text = await readFile(join(import.meta.dir, "..", "..", "docs", page), "utf8");
      const found = [...text.matchAll(/^\| (\d+) +\| (.*?) *\|$/gm)].map(([, status, words]) => [
        status!,
        words!,
      ]);
      expect([page, found]).toEqual([page, rows]);
    }
  });

  test("are the same with and without --json, for commands of every kind", async () => {
    using directory = await workspace();
    const run = (args: readonly string[]) => runCli(args, { cwd: directory.path });
    await run(["sync"]);
    for (const [status, args] of commands) {
      const [text, json] = [await run(args), await run([...args, "--json"])];
      expect([args, text.status, json.status]).toEqual([args, status, status]);
      expect([args, json.stderr]).not.toEqual([args, expect.stringMatching(/^( *hint|error|  *code)  /m)]);
    }
    const { stderr } = await run(["sync", "--json", "mixed", "gone", "odd_option"]);
    const errors = stderr.split("\n").filter((line) => line.startsWith("{"));
    expect(errors.map((line) => JSON.parse(line) as unknown)).toEqual(
      ["mixed.broken", "gone", "odd_option"].map((subject) => ({
        subject,
        error: {
          code: expect.any(String),
          message: expect.any(String),
          hint: expect.any(String),
          details: expect.any(Object),
        },
      })),
    );
  });
});

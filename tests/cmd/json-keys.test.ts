import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { resolved, type AnyCommand } from "../../cmd/cli/command.ts";
import { mainCommand } from "../../cmd/main-command.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

/** Commands whose JSON is a list of files, or has no keys of its own, or whose tests, with a server or a source of their own, compare it whole. */
const OTHERS = [
  "complete",
  "connector new",
  "connector types",
  "demo",
  "serve",
  "pull",
  "push",
  "metadata push",
  "table export",
  ...["show", "add", "remove", "reset", "mode", "export"].map((name) => `subscription ${name}`),
];

/** Fields whose keys are those of a source, a plugin or an error, or values. */
const FOREIGN = ["source_metadata", "details", "options", "source_query", "secrets", "variable_types"];

async function commandsOf(command: AnyCommand, prefix = ""): Promise<readonly string[]> {
  const subCommands = await resolved(command.subCommands);
  if (subCommands === undefined) return [prefix.trim()];
  const all = Object.entries(subCommands).map(async ([name, sub]) =>
    commandsOf((await resolved(sub)) as AnyCommand, `${prefix} ${name}`),
  );
  return (await Promise.all(all)).flat();
}

function keysOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(keysOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    key,
    ...(FOREIGN.includes(key) ? [] : keysOf(inner)),
  ]);
}

/** The durations and times in milliseconds that are not whole. */
function fractionsOf(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [
    ...(key.endsWith("_ms") && typeof inner === "number" && !Number.isInteger(inner) ? [key] : []),
    ...fractionsOf(inner),
  ]);
}

test("all commands print JSON with keys in snake_case and whole milliseconds", async () => {
  using directory = temporaryDirectory();
  await runCli(["init"], { cwd: directory.path });
  mkdirSync(join(directory.path, "exports"), { recursive: true });
  writeFileSync(join(directory.path, "exports/orders.csv"), "id,price\n1,12.5\n2,7\n");
  const script = {
    init: ["other"],
    sync: [],
    runs: [],
    timeline: [],
    query: ["SELECT 1 AS a"],
    catalog: [],
    schema: ["orders"],
    profile: ["orders"],
    sample: ["orders"],
    "connector list": [],
    "connector show": ["files"],
    "connector discover": ["exports"],
    "connector test": ["exports", "--case", "discover"],
    "connector health": ["exports"],
    "table list": [],
    "table show": ["orders"],
    "table update": ["orders", "--description", "new"],
    "table history": ["orders"],
    "table folder": ["bucket", "folder"],
    "table discover": [],
    "table import": ["registry.json"],
    "table rollback": ["exports", "1"],
    "table unregister": ["orders"],
    "table register": ["exports", "orders"],
    "metadata refresh": [],
    "metadata status": [],
    "token create": ["ann"],
    "token list": [],
    "token revoke": [""],
    doctor: [],
  };
  const all = await commandsOf(mainCommand);
  expect([...Object.keys(script), ...OTHERS].toSorted()).toEqual(all.toSorted());
  const run = async (command: string, ...args: readonly string[]) => {
    const { status, stdout, stderr } = await runCli([...command.split(" "), ...args, "--json"], {
      cwd: directory.path,
    });
    expect([command, status, status === 0 ? "" : stderr]).toEqual([command, 0, ""]);
    const printed = JSON.parse(stdout) as unknown;
    const camel = keysOf(printed).filter((key) => !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(key));
    expect([command, camel]).toEqual([command, []]);
    expect([command, fractionsOf(printed)]).toEqual([command, []]);
    return printed;
  };
  let token = "";
  for (const [command, args] of Object.entries(script)) {
    const name = command === "table import" ? await exported() : command === "token revoke" ? token : args[0];
    const printed = await run(command, ...(name === undefined ? [] : [name, ...args.slice(1)]));
    if (command === "token create") token = (printed as { readonly id: string }).id;
    if (command === "table history") await run(command, "orders", "--generations");
    if (command === "table update") {
      await runCli(["sync", "--full"], { cwd: directory.path });
      writeFileSync(join(directory.path, "exports/orders.csv"), "id,price\n1,12.5\n");
      await run("sync");
    }
    if (command === "runs") await run("runs", (printed as { runs: { id: string }[] }).runs[0]!.id);
  }

  async function exported(): Promise<string> {
    await runCli(["table", "export", "--output", "registry.json", "--format", "json"], {
      cwd: directory.path,
    });
    return "registry.json";
  }
});

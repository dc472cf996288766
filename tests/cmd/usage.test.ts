import { describe, expect, test } from "bun:test";

import manifest from "../../package.json" with { type: "json" };
import { runCli, temporaryDirectory } from "./run-cli.ts";

describe("usage", () => {
  test("agnes lists its commands on stdout when asked for help", async () => {
    const { status, stdout, stderr } = await runCli(["--help"], { cwd: "/" });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const command of ["init", "demo", "sync", "query", "connector", "doctor"]) {
      expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    }
  });

  test("agnes shows usage on stderr and exits 2 without a command", async () => {
    const { status, stdout, stderr } = await runCli([], { cwd: "/" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("Usage: agnes COMMAND");
  });

  test.each([
    [["schema"], "TABLE is missing", "`agnes schema --help`"],
    [["push", "orders", "--mode", "append"], "--sql is missing", "`agnes push --help`"],
    [["table", "register", "exports"], "TABLE is missing", "`agnes table discover exports --dry-run`"],
    [["token", "create", "ann", "--table", "none"], 'no registered table "none"', "`agnes table list`"],
  ])("agnes %p names what is missing", async (args, reason, hint) => {
    using directory = temporaryDirectory();
    await runCli(["init", "."], { cwd: directory.path });
    const { status, stderr } = await runCli(args, { cwd: directory.path });
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(reason) });
    expect(stderr).toContain(hint);
  });

  test("agnes prints its version when asked", async () => {
    const { status, stdout } = await runCli(["--version"], { cwd: "/" });
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${manifest.version}\n` });
  });

  test.each([
    ["alone", ["-- how many\nselect 1 as a"]],
    ["after an option", ["--format", "csv", "-- how many\nselect 1 as a"]],
    ["before options", ["-- how many\nselect 1 as a", "--format", "csv", "--quiet"]],
    ["that is short", ["--one\nselect 1 as a", "--format=csv"]],
    ["after --", ["--format", "csv", "--", "-- how many\nselect 1 as a"]],
  ])("agnes query takes SQL that begins with a comment, %s", async (_where, args) => {
    using directory = temporaryDirectory();
    await runCli(["init", "."], { cwd: directory.path });
    const { status, stdout, stderr } = await runCli(["query", ...args], { cwd: directory.path });
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/a\n(─+\n)? *1/);
  });

  test("agnes takes a text that begins with dashes as the value of an option", async () => {
    using directory = temporaryDirectory();
    await runCli(["init", "."], { cwd: directory.path });
    const args = ["table", "register", "exports", "t", "--description", "-- kept by hand", "--json"];
    const { status, stdout } = await runCli(args, { cwd: directory.path });
    expect(status).toBe(0);
    expect(stdout).toContain("-- kept by hand");
  });

  test("--expect-version names the version that each command compares: that of the table or of the registry", async () => {
    const described = async (name: string) => {
      const { default: command } = (await import(`../../cmd/commands/table/${name}.ts`)) as {
        default: { args: Record<string, { description: string }> };
      };
      return command.args["expect-version"]!.description;
    };
    for (const name of ["update", "unregister"])
      expect(await described(name)).toContain("the table changed after version N (see `agnes table show`)");
    for (const name of ["register", "import", "folder"])
      expect(await described(name)).toContain(
        "the registry changed after version N (see `version` of `agnes table",
      );
  });

  const wrong: readonly [args: readonly string[], code: string, message: string][] = [
    [["qurey"], "command_unknown", "Did you mean `agnes query`?"],
    [["connector", "lst"], "command_unknown", "Did you mean `agnes connector list`?"],
    [["xyzzy"], "command_unknown", "agnes --help"],
    [["sync", "--fulll"], "flag_unknown", "Did you mean --full?"],
    [["sync", "--no-full"], "flag_unknown", "--no-full"],
    [["query", "select 1", "--limit"], "usage_wrong", "--limit needs a value"],
    [["query", "select 1", "--limit", "many"], "usage_wrong", "--limit"],
    [["query", "select 1", "--limit", "-1"], "usage_wrong", "--limit"],
    [["query", "select 1", "--format", "xml"], "usage_wrong", "It is one of table, json"],
    [["query", "select 1", "--output", "rows.txt"], "usage_wrong", "--format"],
    [["query", "select", "1"], "usage_wrong", "contain spaces"],
    [["connector", "show"], "usage_wrong", "NAME"],
    [["connector", "new", "x", "--capabilities", "raed"], "usage_wrong", "Did you mean read?"],
    [["complete", "tcsh"], "usage_wrong", "bash"],
    [["init", "a", "b"], "usage_wrong", '"b"'],
  ];
  for (const [args, code, message] of wrong) {
    test(`agnes ${args.join(" ")} exits 2 and prints ${message}`, async () => {
      using directory = temporaryDirectory();
      await runCli(["init"], { cwd: directory.path });
      const { status, stdout, stderr } = await runCli(args, { cwd: directory.path });
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain(` code  ${code}\n`);
      expect(stderr).toContain(message);
      expect(stderr).not.toContain("    at ");
    });
  }

  test("agnes prints the error as one line of JSON with --json", async () => {
    const { status, stdout, stderr } = await runCli(["sync", "--json", "--fulll"], { cwd: "/" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: "flag_unknown",
        message: expect.any(String),
        hint: "Did you mean --full?",
        details: { flag: "--fulll", command: "agnes sync", nearest: "--full" },
      },
    });
  });

  test("agnes accepts a global option before the command", async () => {
    using directory = temporaryDirectory();
    const { status } = await runCli(["--workspace", directory.path, "init"], { cwd: "/" });
    expect(status).toBe(0);
    const again = await runCli(["--workspace", directory.path, "--json", "init"], { cwd: "/" });
    expect(again.status).toBe(2);
    expect(JSON.parse(again.stderr).error.code).toBe("workspace_exists");
  });

  test("agnes complete answers what can follow when a shell asks", async () => {
    const { status, stdout } = await runCli(["complete", "--", "connector", ""], { cwd: "/", alone: true });
    expect(status).toBe(0);
    expect(stdout).toContain("discover\tList the tables of a source");
    const script = await runCli(["complete", "bash"], { cwd: "/", alone: true });
    expect(script.stdout).toContain("__agnes_complete");
  });
});

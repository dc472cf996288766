import { describe, expect, test } from "bun:test";

import { resolved, type AnyCommand } from "../../cmd/cli/command.ts";
import { renderUsage } from "../../cmd/cli/usage.ts";
import { mainCommand } from "../../cmd/main-command.ts";
import { runCli } from "./run-cli.ts";

/** All commands by their full names. */
async function allCommands(
  command: AnyCommand,
  name: string,
): Promise<readonly (readonly [string, AnyCommand])[]> {
  const subCommands = Object.entries((await resolved(command.subCommands)) ?? {});
  const below = subCommands.map(async ([sub, one]) =>
    allCommands((await resolved(one)) as AnyCommand, `${name} ${sub}`),
  );
  return [[name, command], ...(await Promise.all(below)).flat()];
}

const commands = await allCommands(mainCommand, "agnes");

/** The lines that are too long and have spaces at which they could be broken. */
const tooLong = (help: string, width: number) =>
  help.split("\n").filter((line) => Bun.stringWidth(line) > width && /\S\s+\S/.test(line));

describe("--help", () => {
  test.each([80, 120])("renderUsage() has no line of more than %p columns for any command", async (width) => {
    expect(commands.length).toBeGreaterThan(40);
    for (const [name, command] of commands) {
      const help = await renderUsage(command, name, width);
      expect({ name, lines: tooLong(help, width) }).toEqual({ name, lines: [] });
    }
  });

  test("renderUsage() continues long examples so that they can be pasted", async () => {
    for (const [name, command] of commands) {
      const { examples = [] } = (await command.load?.()) ?? command;
      const help = await renderUsage(command, name, 80);
      const pasted = help.replaceAll(/ \\\n +/g, " ");
      for (const example of examples) expect(pasted).toContain(`\n  ${example}\n`);
    }
  });

  test("agnes query --help is wrapped to 80 columns without a terminal", async () => {
    const { stdout } = await runCli(["query", "--help"], { cwd: "/" });
    expect(tooLong(stdout, 80)).toEqual([]);
    expect(stdout).toContain("\nUsage: agnes query [SQL] [options]\n");
  });
});

import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { writePluginOutput } from "../../cmd/terminal/stderr.ts";
import { printableOn, styleFor } from "../../cmd/terminal/style.ts";
import { openTerminal } from "../../cmd/terminal/terminal.ts";
import { createLog } from "../../lib/base/mod.ts";
import { permanent } from "../../lib/kit/public.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

/** Clears the screen, returns to the start of the line, rings, and reverses text. */
const HOSTILE = "\u001b[2J\r\u009b2J\u0007\u202e";
const folder = temporaryDirectory();

beforeAll(() => {
  mkdirSync(join(folder.path, "plugins"));
  writeFileSync(
    join(folder.path, "plugins", "hostile.ts"),
    `import { definePlugin, int64, permanent, table } from "agnes/kit";
     import * as v from "valibot";
     const x = (text: string) => text + ${JSON.stringify(HOSTILE)} + text;
     export default definePlugin({
       name: "hostile", version: "1.0.0", description: x("plugin"), capabilities: ["discover", "read"],
       options: v.strictObject({ depth: v.optional(v.pipe(v.number(), v.description(x("option")))) }),
       secrets: { HOSTILE_TOKEN: { description: x("secret") } },
       connect: ({ log }) => ({
         discover: async () => [
           table("good", { id: int64({ description: x("column") }) }, { description: x("table"), notes: [x("note")] }),
           table("bad", { id: int64() }),
         ],
         async *read({ name }) {
           console.log(x("console"));
           process.stdout.write(x("stdout") + "\\n");
           log.warn(x("warning"), { [x("field")]: x("value") });
           if (name === "bad") throw permanent(x("failure"), { hint: x("hint") });
           yield [{ id: 1, [x("unknown")]: 2 }];
         },
       }),
     });`,
  );
  writeFileSync(join(folder.path, "agnes.yaml"), "version: 1\nsources:\n  s: { plugin: hostile }\n");
});
afterAll(() => folder[Symbol.dispose]());

test.each([
  [
    ["connector", "show", "hostile"],
    ["plugin", "option", "secret"],
  ],
  [
    ["connector", "show", "hostile", "--json"],
    ["plugin", "option", "secret"],
  ],
  [
    ["connector", "discover", "s"],
    ["table", "column", "note"],
  ],
  [
    ["connector", "discover", "s", "--json"],
    ["table", "column", "note"],
  ],
  [["sync"], ["console", "stdout", "warning", "field", "value", "failure", "hint", "note"]],
  [
    ["sync", "--full", "--verbose"],
    ["warning", "failure"],
  ],
  [
    ["sync", "--full", "--json"],
    ["hint", "note"],
  ],
  [["connector", "test", "s"], ["failure"]],
])("agnes %p prints no control characters of a plugin", async (args, texts) => {
  const { stdout, stderr } = await runCli(args, { cwd: folder.path });
  const printed = stdout + stderr;
  for (const text of texts) expect(printed).toContain(`${text}\\u001b[2J`);
  expect(printed).not.toMatch(/[^\P{Cc}\n\t]|\u202e/u);
});

test("line feeds of a plugin start no line of their own in logs, errors, hints and stacks", () => {
  const forged = "x\nerror  forged\n\n hint  forged\n code  forged\n";
  let text = "";
  const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    const terminal = openTerminal({ json: false, verbose: true, quiet: false, color: false });
    terminal.log.debug(forged, { [forged]: forged });
    terminal.log.info(forged);
    terminal.log.warn(forged);
    terminal.log.error(forged);
    terminal.warn(forged);
    terminal.error(permanent(forged, { hint: forged }), forged);
    terminal.error(new Error(forged, { cause: new Error(forged) }));
  } finally {
    spy.mockRestore();
  }
  expect(text.match(/forged/g)!.length).toBeGreaterThan(30);
  expect(text.split("\n").filter((line) => /^ {0,3}\S.*forged/.test(line))).toEqual([]);
  // The message and its hint stay together.
  expect(text).toContain(" code  forged\n hint  x\n");
});

test("printableOn() keeps the styles of a terminal and escapes all other control characters", () => {
  const before = { NO_COLOR: process.env["NO_COLOR"], TERM: process.env["TERM"] };
  try {
    process.env["NO_COLOR"] = "";
    process.env["TERM"] = "xterm";
    const stream = { isTTY: true };
    const text = `${styleFor(stream, true)("red", "failed")} a\u001b[2Jb\u009b\r`;
    expect(printableOn(stream, true)(text)).toBe("\u001b[31mfailed\u001b[39m a\\u001b[2Jb\\u009b\\u000d");
    expect(printableOn(stream, false)("\u001b[31ma")).toBe("\\u001b[31ma");
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

test("writePluginOutput() escapes control characters", () => {
  const written: unknown[] = [];
  const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => written.push(chunk) > 0);
  try {
    writePluginOutput("a\u001b[2Jb\n");
  } finally {
    spy.mockRestore();
  }
  expect(written).toEqual(["a\\u001b[2Jb\n"]);
});

test("createLog() escapes and redacts the names of fields", () => {
  const names: string[] = [];
  const log = createLog(({ fields }) => names.push(...Object.keys(fields)), ["s3cret"]);
  log.info("x", { "a\u001b[2J": 1, "of s3cret": 2 });
  expect(names).toEqual(["a\\u001b[2J", "of [redacted]"]);
});

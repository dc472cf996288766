import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { openTerminal, type TerminalFlags } from "../../cmd/terminal/terminal.ts";
import { AgnesError } from "../../lib/base/mod.ts";
import { runOnTerminal, type TerminalOptions } from "./run-on-terminal.ts";
import { runCli, temporaryDirectory } from "./run-cli.ts";

const workspace = temporaryDirectory();

beforeAll(async () => {
  mkdirSync(join(workspace.path, "exports"));
  for (const name of ["orders", "people"])
    writeFileSync(join(workspace.path, "exports", `${name}.csv`), "id\n1\n");
  const source = "s: { plugin: files, register: all, options: { path: exports } }";
  writeFileSync(join(workspace.path, "agnes.yaml"), `version: 1\nsources:\n  ${source}\n`);
  const { status, stderr } = await runCli(["sync"], { cwd: workspace.path });
  if (status !== 0) throw new Error(stderr);
});
afterAll(() => workspace[Symbol.dispose]());

/** What a terminal prints on stderr where that is no terminal. */
function printed(flags: Partial<TerminalFlags>, work: (terminal: ReturnType<typeof openTerminal>) => void) {
  let text = "";
  const spy = spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  try {
    work(openTerminal({ json: false, verbose: false, quiet: false, color: true, ...flags }));
  } finally {
    spy.mockRestore();
  }
  return text;
}

const error = new AgnesError("aborted", { what: "the test" });
const everything = (terminal: ReturnType<typeof openTerminal>) => {
  terminal.info("1 row");
  terminal.warn("late");
  terminal.box("Next", ["a", "b"]);
  terminal.log.debug("opened", { ms: 3 });
  terminal.log.info("read");
  terminal.log.warn("slow", { table: "t" });
  terminal.log.error("lost");
  terminal.error(error, "s.t");
};

test("messages are plain lines with labels when stderr is no terminal", () => {
  const report = `error  s.t: ${error.message}\n hint  ${error.hint}\n code  aborted\n`;
  const usual = "1 row\nwarning  late\nNext:\n  a\n  b\n";
  const rest = `info  read\nwarning  slow  table=t\nerror  lost\n${report}`;
  expect(printed({}, everything)).toBe(usual + rest);
  const verbose = printed({ verbose: true }, everything);
  expect(verbose).toStartWith(`${usual}debug  opened  ms=3\ninfo  read\n`);
  expect(verbose).toContain("    at ");
  expect(printed({ quiet: true }, everything)).toBe(`error  lost\n${report}`);
  expect(printed({ quiet: true, verbose: true }, everything)).not.toContain("debug");
});

test("an error is one line of JSON with --json, also with --quiet", () => {
  const text = printed({ json: true, quiet: true }, (terminal) => void terminal.error(error, "s.t"));
  expect(JSON.parse(text)).toMatchObject({ subject: "s.t", error: { code: "aborted" } });
});

test("every message is printed when it repeats, at once", () => {
  const text = printed({}, (terminal) => {
    for (let at = 0; at < 20; at++) terminal.info("again");
  });
  expect(text).toBe("again\n".repeat(20));
});

test("control characters of a message are escaped", () => {
  const text = printed({}, (terminal) => {
    terminal.info("a\u001b[31mb");
    terminal.warn("a\u202eb");
    terminal.box("Next", ["a\rb"]);
    terminal.log.info("a\u0007b", { name: "c\u0007d" });
  });
  expect(text).toBe(
    "a\\u001b[31mb\nwarning  a\\u202eb\nNext:\n  a\\u000db\ninfo  a\\u0007b  name=c\\u0007d\n",
  );
});

const onTerminal = (args: readonly string[], options: Partial<TerminalOptions> = {}) =>
  runOnTerminal(args, { cwd: workspace.path, ...options });

test("messages on a terminal have colours and boxes, and none with NO_COLOR, TERM=dumb or --no-color", async () => {
  using directory = temporaryDirectory();
  const init = (name: string, env: Record<string, string>, ...args: readonly string[]) =>
    onTerminal(["init", name, ...args], { cwd: directory.path, env });
  const box = await init("a", {});
  expect(box.text).toContain("\u001b[");
  expect(Bun.stripANSI(box.text)).toMatch(/╭─+Next steps─+╮\r\n/);
  for (const plain of [
    await init("b", { NO_COLOR: "1" }),
    await init("c", { TERM: "dumb" }),
    await init("d", {}, "--no-color"),
  ]) {
    expect(plain.text).toContain("Next steps:\r\n  add a CSV");
    expect(plain.text).not.toContain("\u001b");
  }
  expect((await onTerminal(["snyc"])).text).toContain("\u001b[31merror\u001b[39m");
});

test("agnes table unregister asks on a terminal, and does nothing unless the answer is yes", async () => {
  const question = "Unregister s.orders and remove its published data?";
  const args = ["table", "unregister", "orders"];
  const refused = await onTerminal(args, { question, answer: "n" });
  expect(refused.status).toBe(1);
  expect(refused.text).toContain("aborted");
  expect(refused.text).toContain("s.orders was not unregistered");
  const left = await onTerminal(args, { question, answer: "\u0003" });
  expect(left.status).toBe(1);
  const done = await onTerminal(args, { question, answer: "y" });
  expect(done.text).toContain("unregistered s.orders");
  expect(done.status).toBe(0);
  const silent = await onTerminal(["table", "unregister", "people", "--yes"]);
  expect([silent.status, silent.text.includes("remove its published data")]).toEqual([0, false]);
});

import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { runCli, temporaryDirectory } from "./run-cli.ts";

const EXPORTS = "version: 1\nsources:\n  exports: { plugin: files, options: { path: ./exports } }\n";

const plugin = (name: string, body: string, more = "") => `
import { existsSync, writeFileSync } from "node:fs";
import { definePlugin, int64, table, utf8 } from "agnes/kit";
import * as v from "valibot";
export default definePlugin({
  name: ${JSON.stringify(name)}, version: "1.0.0", description: "a plugin of a test",
  capabilities: ["discover", "read"], options: v.strictObject({ count: v.optional(v.number(), 1) }), ${more || "secrets: {},"}
  connect: () => ({
    discover: async () => [table("good", { n: int64() }), table("bad", { n: int64(), t: utf8() })],
    async *read(info, { signal }) {
      if (info.name === "good") return void (yield [{ n: 1 }]);
      ${body}
    },
  }),
});
`;

interface BadInput {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly status: number;
  /** What stderr must hold; the first is the code. */
  readonly parts: readonly string[];
  /** What no output may hold. */
  readonly never?: string;
}

const own = (name: string, source: string, more = "") => ({
  "agnes.yaml": `version: 1\nsources:\n  mine: { plugin: ${name}, register: all${more} }\n`,
  [`plugins/${name}.ts`]: source,
});

const cases: readonly BadInput[] = [
  {
    what: "there is no agnes.yaml",
    files: {},
    args: ["sync"],
    status: 2,
    parts: ["workspace_missing", "agnes init"],
  },
  {
    what: "agnes.yaml is malformed",
    files: { "agnes.yaml": "version: 1\nsources: {a: [}\n" },
    args: ["sync"],
    status: 2,
    parts: ["config_malformed", "agnes.yaml:2"],
  },
  {
    what: "agnes.yaml has an unknown key",
    files: { "agnes.yaml": "version: 1\nsorces: {}\n" },
    args: ["sync"],
    status: 2,
    parts: ["config_unknown_key", "sources"],
  },
  {
    what: "a plugin is unknown",
    files: { "agnes.yaml": EXPORTS.replace("plugin: files", "plugin: flies") },
    args: ["sync"],
    status: 2,
    parts: ["plugin_unknown", '"files"'],
  },
  {
    what: "an option is of the wrong type",
    files: { "agnes.yaml": EXPORTS.replace("./exports", "[1]") },
    args: ["sync"],
    status: 2,
    parts: ["config_invalid", "path"],
  },
  {
    what: "a source is unknown",
    files: { "agnes.yaml": EXPORTS },
    args: ["sync", "exprots"],
    status: 2,
    parts: ["source_unknown", '"exports"'],
  },
  {
    what: "a secret is missing",
    files: own(
      "needy",
      plugin("needy", "", 'secrets: { NEEDY_TOKEN: { description: "a token", required: true } },'),
    ),
    args: ["sync"],
    status: 2,
    parts: ["secret_missing", "NEEDY_TOKEN"],
  },
  {
    what: "a secret stands in agnes.yaml in the place of its variable",
    files: { "agnes.yaml": "version: 1\nsources: { a: { plugin: x, secrets: { TOKEN: s3cr3t-value } } }\n" },
    args: ["sync"],
    status: 2,
    parts: ["invalid_identifier", "sources.a.secrets.TOKEN", "the NAME of a variable"],
    never: "s3cr3t-value",
  },
  {
    what: "a plugin throws at import",
    files: own("broken", 'throw new Error("no good");'),
    args: ["connector", "list"],
    status: 3,
    parts: ["plugin_load_failed", "plugins/broken.ts", "no good"],
  },
  {
    what: "a plugin throws in discover",
    files: own(
      "sad",
      plugin("sad", "").replace(
        "discover: async () =>",
        'discover: async () => { throw new Error("gone"); },\n  other: () =>',
      ),
    ),
    args: ["sync"],
    status: 1,
    parts: ["plugin_", "mine"],
  },
  {
    what: "a connector throws in the middle of a read",
    files: own(
      "halfway",
      plugin(
        "halfway",
        'yield [{ n: 1, t: "a" }]; throw new Error("lost the connection to s3cr3t-value");',
        'secrets: { MID_TOKEN: { description: "a token" } },',
      ),
    ),
    args: ["sync"],
    env: { MID_TOKEN: "s3cr3t-value" },
    status: 3,
    parts: ["plugin_failed", "mine.bad", "lost the connection"],
    never: "s3cr3t-value",
  },
  {
    what: "a connector yields a value that does not fit",
    files: own("wrong", plugin("wrong", 'yield [{ n: "many", t: "a" }];')),
    args: ["sync"],
    status: 3,
    parts: ["mine.bad", '"many"'],
  },
  {
    what: "a connector never ends",
    files: own(
      "endless",
      plugin(
        "endless",
        'for (;;) { yield [{ n: 1, t: "a" }]; await new Promise((wake, stop) => { const timer = setTimeout(wake, 50); signal.addEventListener("abort", () => { clearTimeout(timer); stop(signal.reason); }); }); }',
      ),
      ", timeoutMs: 700",
    ),
    args: ["sync"],
    status: 1,
    parts: ["timed_out", "700 ms"],
  },
  {
    what: "a Parquet file is truncated",
    files: { "agnes.yaml": EXPORTS, "exports/good.csv": "a\n1\n", "exports/bad.parquet": "PAR1 no footer" },
    args: ["sync"],
    status: 3,
    parts: ["bad"],
  },
];

const badSql: readonly (readonly [sql: string, status: number])[] = [
  ["SELECT 1; SELECT 2", 2],
  ["DROP TABLE orders", 2],
  ["SELECT * FROM 'exports/orders.csv'", 2],
  ["SELECT * FROM read_csv('exports/orders.csv')", 2],
  ["SELECT getenv('HOME')", 2],
  ["SELECT * FROM other.main.orders", 2],
  ["PRAGMA database_list", 2],
  ["SELECT * FROM ordres", 2],
  ["SELEC 1", 2],
  ["", 2],
];

/** Code of a plugin that makes a file, by which a test sees how far the plugin is. */
const announce = (path: string) => `writeFileSync(${JSON.stringify(path)}, "");`;

/** Waits for a file, or for the end of the command that should have made it. */
async function untilThere(path: string, command: Promise<unknown>): Promise<void> {
  let isOver = false;
  void command.finally(() => (isOver = true));
  while (!existsSync(path) && !isOver) await Bun.sleep(20);
}

function write(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

describe("bad input", () => {
  for (const { what, files, args, env, status, parts, never } of cases) {
    test(`agnes ${args.join(" ")} exits ${status} and prints ${parts[0]} when ${what}`, async () => {
      using directory = temporaryDirectory();
      write(directory.path, files);
      const result = await runCli(args, { cwd: directory.path, ...(env && { env }) });
      for (const part of parts) expect(result.stderr).toContain(part);
      expect(result.stderr).toMatch(/^ hint {2}\S/m);
      expect(result.stderr).not.toMatch(/^\s+at .*:\d+/m);
      if (never !== undefined) expect(result.stdout + result.stderr).not.toContain(never);
      expect(result.status).toBe(status);
      if (status !== 3)
        expect(existsSync(join(directory.path, "data", "extracts", "mine", "extract.duckdb"))).toBe(false);
    });
  }

  test("agnes query exits 2 and names what to do when the SQL is not one SELECT over the catalog", async () => {
    using directory = temporaryDirectory();
    write(directory.path, { "agnes.yaml": EXPORTS, "exports/orders.csv": "id\n1\n" });
    expect((await runCli(["sync"], { cwd: directory.path })).status).toBe(0);
    for (const [sql, status] of badSql) {
      const result = await runCli(["query", sql], { cwd: directory.path });
      expect({ sql, status: result.status, stdout: result.stdout }).toEqual({ sql, status, stdout: "" });
      expect(result.stderr).toMatch(/^ hint {2}\S/m);
    }
  });

  test("agnes connector health exits 1 and prints the full remedy when a secret is missing, and any other message in full", async () => {
    using directory = temporaryDirectory();
    const secrets = 'secrets: { NEEDY_TOKEN: { description: "a token, made somewhere", required: true } },';
    write(directory.path, own("needy", plugin("needy", "", secrets)));
    const { status, stdout, stderr } = await runCli(["connector", "health"], { cwd: directory.path });
    expect([status, stderr]).toEqual([1, ""]);
    expect(stdout).toMatch(
      /^mine +failed +.*NEEDY_TOKEN .*Set NEEDY_TOKEN in the environment.*agnes\.yaml\.$/m,
    );
    const ill = plugin("ill", "").replace(
      "discover:",
      'health: async () => ({ ok: false, message: "it is ill" }),\n    discover:',
    );
    write(directory.path, own("ill", ill));
    const short = await runCli(["connector", "health"], { cwd: directory.path });
    expect([short.status, short.stderr]).toEqual([1, ""]);
    expect(short.stdout).toContain("it is ill");
    const well = `it is well${", very well".repeat(20)}; WARNING: it expires in 2 days`;
    write(
      directory.path,
      own(
        "well",
        ill.replace("ill", "well").replace('ok: false, message: "it is ill"', `ok: true, message: "${well}"`),
      ),
    );
    const long = await runCli(["connector", "health"], { cwd: directory.path });
    expect([long.status, long.stderr]).toEqual([0, ""]);
    expect(long.stdout).toEndWith(`ok     ${well}\n`);
  });

  test("agnes works with the other tables when one plugin is broken", async () => {
    using directory = temporaryDirectory();
    write(directory.path, {
      "agnes.yaml": EXPORTS,
      "exports/orders.csv": "id\n1\n",
      "plugins/broken.ts": "(((",
    });
    const { status, stdout, stderr } = await runCli(["sync"], { cwd: directory.path });
    expect(status).toBe(0);
    expect(stdout).toContain("exports.orders");
    expect(stderr).toMatch(/^warning {2}could not load a plugin from .*broken\.ts:1:\d+: /m);
  });

  test("agnes sync exits 1 when another one runs", async () => {
    using directory = temporaryDirectory();
    const [started, goOn] = [join(directory.path, "started"), join(directory.path, "go-on")];
    const waits = `while (!existsSync(${JSON.stringify(goOn)})) await new Promise((wake) => setTimeout(wake, 20));`;
    const slow = plugin("slow", `${announce(started)} ${waits} yield [{ n: 1, t: "a" }];`);
    write(directory.path, own("slow", slow));
    const first = runCli(["sync"], { cwd: directory.path, alone: true });
    await untilThere(started, first);
    const second = await runCli(["sync"], { cwd: directory.path, alone: true });
    expect(second.stderr).toContain("source_running");
    expect(second.status).toBe(1);
    writeFileSync(goOn, "");
    expect((await first).status).toBe(0);
  });

  test("agnes sync stops at Ctrl-C, exits 1 and publishes nothing", async () => {
    using directory = temporaryDirectory();
    const started = join(directory.path, "started");
    const endless = plugin(
      "endless",
      `for (;;) { yield [{ n: 1, t: "a" }]; ${announce(started)} await new Promise((wake) => setTimeout(wake, 50)); }`,
    );
    write(directory.path, own("endless", endless));
    const main = join(import.meta.dir, "..", "..", "cmd", "main.ts");
    const child = Bun.spawn([process.execPath, main, "sync"], {
      cwd: directory.path,
      stdout: "pipe",
      stderr: "pipe",
    });
    await untilThere(started, child.exited);
    child.kill("SIGINT");
    const [status, stderr] = await Promise.all([child.exited, new Response(child.stderr).text()]);
    expect(stderr).toContain("stopping");
    expect(stderr).toContain("aborted");
    expect(status).toBe(1);
    const published = join(directory.path, "data", "extracts", "mine", "extract.duckdb");
    expect(existsSync(published)).toBe(false);
  });
});

test("what a plugin prints goes to stderr, and the data alone to stdout", async () => {
  using folder = temporaryDirectory();
  const loud = `import { Readable } from "node:stream";
    import { stdout } from "node:process";
    console.log("at import"); console.info("too"); console.table([{ in: "a table" }]); console.write("raw");
    process.stdout.write("straight"); stdout.write(Buffer.from("bytes"), () => process.stdout.write("called back"));
    Readable.from(["x".repeat(200000), "piped"]).pipe(process.stdout);
    await new Promise((resolve) => process.stdout.write("", resolve));
    ${plugin("loud", 'process.stdout.write("from a read");')}`;
  for (const [name, text] of Object.entries(own("loud", loud))) {
    const path = join(folder.path, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const synced = await runCli(["sync", "--json"], { cwd: folder.path, alone: true });
  expect(synced).toMatchObject({ status: 0, stderr: expect.stringContaining("from a read") });
  JSON.parse(synced.stdout);
  for (const alone of [true, false, false]) {
    const args = ["query", "SELECT 1 AS n", "--format", "json"];
    const { stdout, stderr } = await runCli(args, { cwd: folder.path, alone });
    expect(JSON.parse(stdout)).toEqual([{ n: 1 }]);
    const printed = ["at import", "too", "a table", "raw", "straight", "bytes", "called back", "piped"];
    if (alone) for (const text of printed) expect(stderr).toContain(text);
  }
});

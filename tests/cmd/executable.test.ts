import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { buildExecutable, hostPlatform, platforms } from "../../cmd/build.ts";
import { findBindings } from "../../cmd/native/embed-duckdb.ts";
import { WORKER_ARGUMENT } from "../../cmd/process/worker-argument.ts";
import { codeOf, isolated, rowsIn, until } from "../query/workers/isolated.ts";
import { sourceProcesses } from "../sync/child/source-processes.ts";
import { temporaryDirectory } from "./run-cli.ts";

let directory: ReturnType<typeof temporaryDirectory>;
let executable: string;
let home: string;

beforeAll(async () => {
  directory = temporaryDirectory();
  executable = join(directory.path, "agnes");
  home = join(directory.path, "home");
  const platform = platforms.find((name) => name === hostPlatform())!;
  await buildExecutable({ platform, bindings: findBindings(platform)!, outfile: executable });
  // Building compresses DuckDB, which takes minutes on a busy machine.
}, 300_000);
afterAll(() => directory[Symbol.dispose]());

/** Runs the executable with nothing in its environment but HOME. */
async function run(args: readonly string[], cwd: string, env: Record<string, string> = { HOME: home }) {
  const child = Bun.spawn([executable, ...args], { cwd, env, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

describe("the executable", () => {
  test("agnes demo answers its question in an empty directory with an empty environment", async () => {
    using empty = temporaryDirectory();
    const { status, stdout, stderr } = await run(["demo"], empty.path);
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining("Next steps") });
    expect(stdout).toMatch(/Atlanta .* 414513/);
    expect(readdirSync(empty.path)).toEqual(["agnes-demo"]);
    const commands = stderr.match(/(?<=^  ).*agnes (?:catalog|sample|query) .*$/gm) ?? [];
    expect(commands).toHaveLength(4);
    for (const typed of commands) {
      const child = Bun.spawn(["/bin/sh", "-c", typed], {
        cwd: empty.path,
        env: { HOME: home },
        stderr: "ignore",
      });
      expect({ typed, exit: await child.exited }).toEqual({ typed, exit: 0 });
    }
  });

  test("agnes starts at once in several processes when DuckDB is not unpacked yet, and without a home", async () => {
    using empty = temporaryDirectory();
    await run(["init"], empty.path);
    const fresh = join(empty.path, "fresh-home");
    const environments = [{ HOME: fresh }, { HOME: fresh }, { HOME: fresh }, { TMPDIR: empty.path }];
    const results = await Promise.all(
      environments.map((env) => run(["query", "select 1 as one", "--format", "csv"], empty.path, env)),
    );
    for (const { status, stdout } of results)
      expect({ status, stdout }).toEqual({ status: 0, stdout: "one\n1\n" });
    const cache = join(fresh, ".cache", "agnes");
    const [library, ...others] = readdirSync(cache);
    expect(others).toEqual([]);
    expect(readdirSync(join(cache, library!)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("agnes init, sync and query work together", async () => {
    using empty = temporaryDirectory();
    expect((await run(["init"], empty.path)).status).toBe(0);
    writeFileSync(join(empty.path, "exports", "numbers.csv"), "n\n1\n2\n3\n");
    expect((await run(["sync"], empty.path)).status).toBe(0);
    const { status, stdout } = await run(
      ["query", "SELECT sum(n) AS total FROM numbers", "--json"],
      empty.path,
    );
    expect({ status, rows: JSON.parse(stdout) }).toEqual({ status: 0, rows: [{ total: expect.anything() }] });
    expect(String(JSON.parse(stdout)[0].total)).toBe("6");
  });

  test("agnes runs a TypeScript plugin of the workspace with its own kit, Arrow and valibot", async () => {
    using empty = temporaryDirectory();
    await run(["init"], empty.path);
    mkdirSync(join(empty.path, "plugins", "numbers"));
    writeFileSync(join(empty.path, "plugins", "numbers", "start.ts"), "export const start: number = 40;\n");
    writeFileSync(join(empty.path, "plugins", "numbers", "plugin.ts"), PLUGIN);
    writeFileSync(
      join(empty.path, "agnes.yaml"),
      "version: 1\nsources:\n  numbers: { plugin: numbers, register: all, options: { count: 3 } }\n",
    );
    const tested = await run(["connector", "test", "numbers"], empty.path);
    expect(tested).toMatchObject({ status: 0, stdout: expect.not.stringContaining("failed") });
    expect((await run(["sync"], empty.path)).status).toBe(0);
    const sql =
      "SELECT source, sum(n) AS total FROM (SELECT 'rows' AS source, n FROM numbers UNION ALL SELECT 'arrow', n FROM vectors) GROUP BY source ORDER BY source";
    const { stdout } = await run(["query", sql, "--format", "csv"], empty.path);
    expect(stdout).toBe("source,total\narrow,123\nrows,123\n");
  });

  test("agnes connector new writes a plugin that the executable can run", async () => {
    using empty = temporaryDirectory();
    await run(["init"], empty.path);
    expect((await run(["connector", "new", "crm"], empty.path)).status).toBe(0);
    // It carries the declarations that an editor needs.
    for (const name of [
      "agnes/kit/public.d.ts",
      "valibot/dist/index.d.mts",
      "apache-arrow/Arrow.node.d.ts",
    ]) {
      expect(statSync(join(empty.path, "plugins/.types", name)).size).toBeGreaterThan(20);
    }
    const { status, stdout } = await run(["connector", "test", "crm"], empty.path);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.not.stringContaining("failed") });
  });

  test("agnes takes no settings from the folder it is started in", async () => {
    using empty = temporaryDirectory();
    writeFileSync(join(empty.path, ".env"), "AGNES_WORKSPACE=/nowhere\n");
    writeFileSync(join(empty.path, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(empty.path, "evil.ts"), 'console.log("evil");\n');
    expect((await run(["init"], empty.path)).status).toBe(0);
    const { stdout, status } = await run(["catalog", "--json"], empty.path);
    expect({ status, tables: JSON.parse(stdout) }).toEqual({ status: 0, tables: { tables: [] } });
  });

  test("agnes gives the process a larger thread pool when it is the executable, and keeps what is asked for", async () => {
    using empty = temporaryDirectory();
    await run(["init"], empty.path);
    const sizes = async (env: Record<string, string>) => {
      const { stdout } = await run(["doctor"], empty.path, env);
      return /(\d+) pool threads/.exec(stdout)?.[1];
    };
    expect(await sizes({ HOME: home })).toBe("16");
    expect(await sizes({ HOME: home, UV_THREADPOOL_SIZE: "5" })).toBe("5");
  });

  test("the executable runs as a worker process for queries, with an empty environment", async () => {
    using empty = temporaryDirectory();
    const command = [executable, WORKER_ARGUMENT] as const;
    await using session = isolated(empty.path, { command });
    expect(await rowsIn(session, "SELECT 42 AS answer")).toEqual([{ answer: 42 }]);
    expect(await codeOf(rowsIn(session, "FROM orders"))).toBe("table_unknown");
  });

  test("the executable runs a source for its server in a process of its own, with plugins of the workspace", async () => {
    using empty = temporaryDirectory();
    mkdirSync(join(empty.path, "plugins"));
    const unruly = join(import.meta.dir, "..", "sync", "child", "unruly.ts");
    copyFileSync(unruly, join(empty.path, "plugins", "unruly.ts"));
    const config = "version: 1\nsources:\n  a: { plugin: unruly, options: { manner: trickle } }\n";
    writeFileSync(join(empty.path, "agnes.yaml"), config);
    const token = (await run(["token", "create", "job", "--role", "admin"], empty.path)).stdout.trim();
    const server = Bun.spawn([executable, "serve", "--port", "0", "--json"], {
      cwd: empty.path,
      env: { HOME: home },
      stdout: "pipe",
      stderr: "ignore",
    });
    try {
      const { value } = await server.stdout.getReader().read();
      const { url } = JSON.parse(new TextDecoder().decode(value)) as { readonly url: string };
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const begun = await fetch(`${url}/api/sync/trigger`, { method: "POST", headers, body: "{}" });
      const { job_id: id } = (await begun.json()) as { readonly job_id: string };
      await until(() => sourceProcesses(server.pid).length === 1);
      const status = async () => {
        const response = await fetch(`${url}/api/runs/${id}`, { headers });
        return ((await response.json()) as { readonly status: string }).status;
      };
      while ((await status()) === "running") await Bun.sleep(50);
      expect(await status()).toBe("complete");
    } finally {
      server.kill("SIGKILL");
      await server.exited;
    }
  });

  test("the executable stays below 150 MB", () => {
    expect(statSync(executable).size).toBeLessThan(150e6);
  });
});

const PLUGIN = `
import { arrow, definePlugin, int64, table } from "agnes/kit";
import { tableFromArrays } from "apache-arrow";
import * as v from "valibot";
import { start } from "./start.ts";

process.stdout.write("stdout is for data\\n");

interface Options { readonly count: number }

export default definePlugin({
  name: "numbers", version: "1.0.0", description: "Some numbers",
  capabilities: ["discover", "read"],
  options: v.strictObject({ count: v.optional(v.number(), 3) }),
  secrets: {},
  connect({ options }: { options: Options }) {
    const numbers = Array.from({ length: options.count }, (_, index) => start + index);
    return {
      discover: async () => [table("numbers", { n: int64() }), table("vectors", { n: int64() })],
      async *read(info) {
        if (info.name === "numbers") yield numbers.map((n) => ({ n }));
        else if (info.name !== "vectors") throw new Error("there is no table " + info.name);
        else {
          const made = tableFromArrays({ n: BigInt64Array.from(numbers, BigInt) });
          if (!(made instanceof arrow.Table)) throw new Error("two copies of Arrow");
          yield* made.batches;
        }
      },
    };
  },
});
`;

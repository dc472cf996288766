import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFile, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { status } from "@grpc/grpc-js";
import { publint } from "publint";

import { buildPackage } from "../../../tools/package.ts";
import { ROOT } from "../../../tools/source.ts";
import { fakeBigQuery, type FakeBigQuery } from "../../fakes/bigquery/mod.ts";
import { fakeStorage } from "../../fakes/bigquery/storage.ts";
import { isRunning, until, workersOf } from "../../query/workers/isolated.ts";
import { sourceProcesses } from "../../sync/child/source-processes.ts";
import { ordersTable } from "../../plugins-bigquery/sample.ts";
import { large } from "../../plugins-bigquery/storage-support.ts";

const CONSUMER = join(ROOT, "tests/full/package/consumer");
let project: string;
/** The output of the compiler for the consumer's program. */
let compiled: ReturnType<typeof run>;

/** A project that has the built package among its modules, as npm would lay it out. */
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), "agnes-package-"));
  const modules = join(project, "node_modules");
  mkdirSync(join(modules, "agnes"), { recursive: true });
  expect(buildPackage(join(modules, "agnes", "dist"))).toBe(0);
  copyFileSync(join(ROOT, "package.json"), join(modules, "agnes", "package.json"));
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (!name.startsWith(".") && name !== "bun" && name !== "@azure")
      symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module", private: true }));
  for (const name of readdirSync(CONSUMER)) copyFileSync(join(CONSUMER, name), join(project, name));
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  writeFileSync(join(project, "readme.ts"), /```ts\n([\s\S]*?)```/.exec(readme)![1]!);
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        exactOptionalPropertyTypes: true,
        target: "es2023",
        module: "nodenext",
        skipLibCheck: false,
        types: ["node"],
        outDir: "out",
      },
      include: ["program.ts", "readme.ts"],
    }),
  );
  compiled = run(join(ROOT, "node_modules/.bin/tsc"), "-p", ".");
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

const run = (command: string, ...parameters: string[]) =>
  spawnSync(command, parameters, {
    cwd: project,
    encoding: "utf8",
    env: { ...process.env, FILES_PATH: project },
  });

describe("the built package", () => {
  test("publint finds nothing wrong with its shape", async () => {
    const { messages } = await publint({
      pkgDir: join(project, "node_modules", "agnes"),
      strict: true,
      pack: "npm",
    });
    expect(messages).toEqual([]);
  });

  test("tsc checks a consumer's program against its declarations", () => {
    const result = compiled;
    expect(result.stdout + result.stderr).toBe("");
    expect(result.status).toBe(0);
  });

  test("Node runs createAgnes(), sync, query and a plugin of the consumer's own", () => {
    const version = run("node", "--version").stdout;
    expect(Number(/^v(\d+)/.exec(version)?.[1])).toBeGreaterThanOrEqual(20);
    const result = run("node", join("out", "program.js"));
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual({
      status: "complete",
      rows: [
        { name: "Ann", word: "number 1" },
        { name: "Bob", word: "number 2" },
      ],
      refused: 2,
    });
  });

  test("Node runs the program of the README beside a folder of exports", () => {
    const cwd = mkdtempSync(join(tmpdir(), "agnes-readme-"));
    mkdirSync(join(cwd, "exports"));
    writeFileSync(join(cwd, "exports", "orders.csv"), "id,amount\n1,10.50\n2,7.25\n");
    writeFileSync(join(cwd, "exports", "people.ndjson"), '{"name":"ann"}\n');
    const result = spawnSync("node", [join(project, "out", "readme.js")], { cwd, encoding: "utf8" });
    rmSync(cwd, { recursive: true });
    expect([result.stderr, result.status]).toEqual(["", 0]);
    expect(result.stdout).toBe("orders [ { rows: 2 } ]\npeople [ { rows: 1 } ]\n");
  });

  test("a plugin whose optional package is not installed names it when it is needed", () => {
    writeFileSync(
      join(project, "optional.mjs"),
      `import { openCatalog } from "agnes/catalog";
       import { azureTablesStorage } from "agnes/plugins/azure-tables";
       const storage = azureTablesStorage({ connectionString: "UseDevelopmentStorage=true" });
       const { code, message, hint } = await openCatalog({ storage, name: "n", rowKey: "id", indexKeys: [] }).catch((error) => error);
       console.log(JSON.stringify({ code, message, hint }));`,
    );
    const result = run("node", "optional.mjs");
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual({
      code: "package_missing",
      message: "the optional package @azure/data-tables is not installed",
      hint: "Install it in your project: `npm install @azure/data-tables`.",
    });
  });

  /** Runs a program of this folder on Node, with requests to BigQuery sent to a fake. */
  const runBigQuery = async (name: string, server: FakeBigQuery, env: Readonly<Record<string, string>>) => {
    const proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) =>
        server.fetch(request.headers.get("x-url")!, {
          method: request.method,
          headers: request.headers,
          ...(request.body === null ? {} : { body: await request.text() }),
        }),
    });
    try {
      copyFileSync(join(ROOT, "tests/full/package", name), join(project, name));
      const { stdout, stderr } = await promisify(execFile)("node", [name], {
        cwd: project,
        env: {
          ...process.env,
          ...env,
          PROXY: proxy.url.href,
          BIGQUERY_SERVICE_ACCOUNT_JSON: server.signIn.serviceAccount,
        },
      });
      expect(stderr).toBe("");
      return JSON.parse(stdout) as unknown;
    } finally {
      await proxy.stop(true);
    }
  };

  test("Node runs the plugin bigquery, which signs in with a service account", async () => {
    const { resource, ...orders } = ordersTable(20);
    await using server = fakeBigQuery({ tables: [{ ...orders, resource: { ...resource } }] });
    expect(await runBigQuery("bigquery.mjs", server, {})).toEqual({
      status: "complete",
      again: ["unchanged", "unchanged"],
      orders: [{ n: 20, total: "195.00", last: "2026-01-01 00:00:19.000019+00" }],
      totals: [{ n: 20 }],
      live: [{ customer: "Čapek '3' \\" }],
    });
    expect(server.signIn.issued).toBeGreaterThan(0);
    expect(server.requests.every(({ headers }) => headers.get("x-url") !== null)).toBe(true);
  });

  test.each([true, false])(
    "Node reads a large table of BigQuery, with gRPC installed: %p",
    async (isInstalled) => {
      const tables = [large(ordersTable(500))];
      await using server = fakeBigQuery({ tables });
      const unavailable = { code: status.UNAVAILABLE, message: "Connection reset" };
      await using storage = await fakeStorage({
        tables,
        script: { batchRows: 50, cut: ({ attempt }, at) => (attempt === 1 && at === 1 ? unavailable : null) },
      });
      const grpc = join(project, "node_modules", "@grpc");
      if (!isInstalled) rmSync(grpc);
      try {
        expect(await runBigQuery("bigquery-storage.mjs", server, { STORAGE: storage.url })).toEqual({
          orders: [
            { n: 500, ids: 500, total: "124875.00", last: "2026-01-01 00:08:19.000499+00", lines: 499 },
          ],
          missing: isInstalled
            ? []
            : [
                "the Storage Read API is not used for table shop.orders: the optional package @grpc/grpc-js is not installed",
              ],
        });
      } finally {
        if (!isInstalled) symlinkSync(join(ROOT, "node_modules", "@grpc"), grpc);
      }
      // Each of three streams is cut once; without gRPC a dry run and a job read the table. The check of the source's health is a
      // dry run.
      expect([storage.sessions.length, storage.reads.length, server.inserted.length]).toEqual(
        isInstalled ? [1, 6, 1] : [0, 0, 3],
      );
    },
  );
  test("Node runs queries in worker processes, which end when it is killed", async () => {
    copyFileSync(join(ROOT, "tests/full/package/workers.mjs"), join(project, "workers.mjs"));
    const closed = run("node", "workers.mjs", project, "close");
    expect(closed.stderr).toBe("");
    expect(JSON.parse(closed.stdout)).toEqual({
      rows: [{ n: 0 }, { n: 1 }, { n: 2 }],
      failed: "sql_failed",
      stopped: "aborted",
    });
    // Idle workers do not keep a program alive, not even one that waits for their end.
    expect(run("node", "workers.mjs", project, "idle")).toMatchObject({ status: 0, stdout: "closed\n" });
    const parent = spawn("node", ["workers.mjs", project], { cwd: project });
    await new Promise((resolve) => parent.stdout.once("data", resolve));
    const workers = workersOf(parent.pid!);
    expect(workers.length).toBeGreaterThan(0);
    parent.kill("SIGKILL");
    await until(() => !workers.some(isRunning), 1000);
  });

  test("Node runs sources in processes of their own, which end when it is killed", async () => {
    for (const file of ["syncs.mjs", "blocking.mjs"])
      copyFileSync(join(ROOT, "tests/full/package", file), join(project, file));
    const parent = spawn("node", ["syncs.mjs", project], { cwd: project });
    const printed = await new Promise<Buffer>((resolve) => parent.stdout.once("data", resolve));
    expect(JSON.parse(printed.toString().split("\n")[0]!)).toEqual({ status: "complete", rows: [{ n: 6 }] });
    const processes = sourceProcesses(parent.pid);
    expect(processes).toHaveLength(1);
    parent.kill("SIGKILL");
    await until(() => !processes.some(isRunning), 1000);
    // Other tests read the files of the project.
    for (const name of readdirSync(project))
      if (name.startsWith("syncs-")) rmSync(join(project, name), { recursive: true });
  });

  test("node:test runs the contract suite of a connector", () => {
    writeFileSync(join(project, "people.csv"), "n,name\n1,Ann\n");
    const result = run("node", "--test", "suite.mjs");
    expect(result.stdout).toContain("# fail 0");
    expect(Number(/# pass (\d+)/.exec(result.stdout)?.[1])).toBeGreaterThan(3);
  });
});

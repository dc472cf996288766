import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { runCli, temporaryDirectory, type CliResult } from "./run-cli.ts";

/** A workspace with a good table and optional bad ones. */
async function shop(directory: string): Promise<{
  readonly run: (...args: string[]) => Promise<CliResult>;
  readonly at: (name: string) => string;
}> {
  const at = (name: string) => join(directory, "exports", name);
  await mkdir(at("events"), { recursive: true });
  await writeFile(at("good.csv"), "id\n1\n");
  await writeFile(
    join(directory, "agnes.yaml"),
    "version: 1\nsources:\n  exports: { plugin: files, options: { path: ./exports } }\n",
  );
  return { run: (...args) => runCli(args, { cwd: directory }), at };
}

const json = <T>({ stdout }: CliResult) => JSON.parse(stdout) as T;

interface Sync {
  readonly status: string;
  readonly sources: readonly {
    readonly registered: readonly string[];
    readonly notes: readonly string[];
    readonly stats: {
      readonly errors: readonly { readonly table: string }[];
      readonly tables_extracted: number;
    };
  }[];
}

describe("a table that cannot be read", () => {
  test("does not keep the others from being registered and synced; exit status 3, by name everywhere", async () => {
    using directory = temporaryDirectory();
    const { run, at } = await shop(directory.path);
    execFileSync("mkfifo", [at("events/pipe.csv")]);
    await symlink("nowhere.csv", at("orders.csv"));
    await symlink("../../agnes.csv", at("events/broken.md"));
    const first = await run("sync", "--json");
    const [source] = json<Sync>(first).sources;
    expect(first.status).toBe(3);
    expect(source).toMatchObject({
      registered: ["exports.good"],
      stats: { tables_extracted: 1, tables_failed: 2 },
    });
    expect(source!.stats.errors.map(({ table }) => table).sort()).toEqual(["events", "orders"]);
    expect(first.stderr).toMatch(/exports\.events.*events\/pipe\.csv/);
    expect(first.stderr).toMatch(/exports\.orders.*orders\.csv.*link to nothing/);

    const second = await run("sync", "exports.orders");
    expect(second.status).toBe(1);
    expect(second.stderr).toContain("link to nothing");
    expect((await run("sync", "exports.good")).status).toBe(0);

    const listed = await run("connector", "discover", "exports", "--json");
    expect(listed.status).toBe(3);
    expect(json<{ tables: unknown[] }>(listed).tables).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: "good", columns: [expect.objectContaining({ name: "id" })] }),
        expect.objectContaining({
          name: "orders",
          columns: [],
          problem: { code: "files/entry_unusable", message: expect.stringContaining("orders.csv") },
        }),
      ]),
    );
    expect((await run("connector", "discover", "exports")).stdout).toMatch(/orders.*cannot be read/);

    const registered = await run("table", "discover", "--json");
    expect(registered.status).toBe(3);
    expect(json<{ sources: { candidates: unknown[] }[] }>(registered).sources[0]!.candidates).toEqual(
      expect.arrayContaining([expect.objectContaining({ kind: "unreadable", table: "orders", id: null })]),
    );

    // Repaired, it is a table like any other.
    await rm(at("orders.csv"));
    await writeFile(at("orders.csv"), "id\n7\n");
    await rm(at("events/pipe.csv"));
    const repaired = await run("sync", "--json");
    expect(repaired.status).toBe(0);
    expect(json<Sync>(repaired).sources[0]!.registered).toEqual(["exports.orders"]);
    expect((await run("table", "show", "exports.orders", "--json")).stdout).not.toContain("link to nothing");
  });

  test("keeps its published rows, regardless of its file", async () => {
    using directory = temporaryDirectory();
    const { run, at } = await shop(directory.path);
    await writeFile(at("orders.csv"), "id\n7\n");
    await writeFile(at("events/a.csv"), "id\n8\n");
    expect((await run("sync")).status).toBe(0);
    await writeFile(at("good.csv"), "id\n1\n2\n");
    await rename(at("orders.csv"), at("Orders.csv"));
    await symlink("Orders.csv", at("orders.csv"));
    await rm(at("events"), { recursive: true });
    const { status, stderr } = await run("sync");
    expect(status).toBe(3);
    expect(stderr).toMatch(/exports\.orders.*Orders\.csv.*orders\.csv/);
    expect(stderr).toMatch(/exports\.events/);
    const sql =
      "SELECT (SELECT count(*) FROM good), (SELECT max(id) FROM orders), (SELECT max(id) FROM events)";
    expect((await run("query", sql, "--format", "csv")).stdout).toContain("2,7,8");
    const listed = json<{ sources: { candidates: unknown[] }[] }>(await run("table", "discover", "--json"));
    expect(listed.sources[0]!.candidates).toContainEqual(
      expect.objectContaining({ kind: "unreadable", table: "orders", id: "exports.orders" }),
    );
  });

  test("is no failure if it is unregistered, or a link out of the source, which is reported", async () => {
    using directory = temporaryDirectory();
    const { run, at } = await shop(directory.path);
    await writeFile(at("orders.csv"), "id\n7\n");
    expect((await run("sync")).status).toBe(0);
    expect((await run("table", "unregister", "exports.orders")).status).toBe(0);
    await rm(at("orders.csv"));
    await symlink("nowhere.csv", at("orders.csv"));
    await writeFile(join(directory.path, "people.csv"), "id\n9\n");
    await symlink("../people.csv", at("people.csv"));
    const { status, stderr } = await run("sync");
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(/people\.csv.*outside/),
    });
    expect(stderr).not.toContain("orders");
    const discovered = await run("table", "discover", "--json");
    expect(discovered.status).toBe(0);
    expect(discovered.stdout).toContain("left_out");
    const version = json<{ version?: number }>(await run("table", "list", "--json"));
    expect(json<{ version?: number }>(await run("table", "list", "--json"))).toEqual(version);
  });
});

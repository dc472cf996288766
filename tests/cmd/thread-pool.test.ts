import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { buildExecutable, hostPlatform, platforms } from "../../cmd/build.ts";
import { findBindings } from "../../cmd/native/embed-duckdb.ts";
import { temporaryDirectory } from "./run-cli.ts";

/** Building compresses DuckDB, which takes minutes on a busy machine. */
const BUILD_TIMEOUT_MS = 300_000;
const ROOT = join(import.meta.dir, "..", "..");
const path = (...parts: readonly string[]) => JSON.stringify(join(ROOT, ...parts));

/** Goes the way every command goes, then keeps twelve queries running at once. */
const COMMAND = `
import { command } from ${path("cmd/cli/command.ts")};
export default command({
  args: {},
  async run(cli) {
    const { openDatabase } = await import(${path("lib/duckdb/mod.ts")});
    const { readdirSync } = await import("node:fs");
    await using database = await openDatabase();
    const connections = await Promise.all(Array.from({ length: 12 }, () => database.connect()));
    await Promise.all(connections.map((one) => one.run("SELECT count(*) FROM range(20000000) t(x) WHERE x % 7 = 3")));
    await cli.print(String(readdirSync("/proc/self/task").length));
  },
});
`;
const MAIN = `
import { dispatch } from ${path("cmd/dispatch.ts")};
import { group, lazy } from ${path("cmd/cli/command.ts")};
const root = group("agnes", "", { busy: lazy("busy", "", () => import("./busy.ts")) });
process.exit(await dispatch(root, process.argv.slice(2), "0"));
`;

test(
  "enlargeThreadPool() gives the executable the threads it claims to have",
  async () => {
    if (process.platform !== "linux") return; // Only Linux lets a process count its threads.
    using directory = temporaryDirectory();
    const platform = platforms.find((name) => name === hostPlatform())!;
    writeFileSync(join(directory.path, "busy.ts"), COMMAND);
    writeFileSync(join(directory.path, "main.ts"), MAIN);
    const outfile = join(directory.path, "program");
    const entry = join(directory.path, "main.ts");
    const bindings = findBindings(platform)!;
    await buildExecutable({ platform, bindings, outfile, entry, compressionLevel: 1 });
    const threads = async (env: Record<string, string>) => {
      const child = Bun.spawn([outfile, "busy"], { env: { HOME: directory.path, ...env }, stdout: "pipe" });
      expect(await child.exited).toBe(0);
      return Number(await new Response(child.stdout).text());
    };
    const [few, many] = [await threads({ UV_THREADPOOL_SIZE: "2" }), await threads({})];
    expect(many - few).toBeGreaterThanOrEqual(8);
  },
  BUILD_TIMEOUT_MS,
);

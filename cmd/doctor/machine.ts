import { statfs } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";

import manifest from "../../package.json" with { type: "json" };
import { createHost, randomName } from "../../lib/base/mod.ts";
import { openDatabase } from "../../lib/duckdb/mod.ts";
import { plural, sizeText } from "../terminal/figures.ts";
import { isExecutable } from "../process/thread-pool.ts";
import { ok, warning, type Check } from "./check.ts";

/** The version and runtime. */
export function runtimeCheck(): Check {
  const kind = isExecutable() ? "executable" : "from source";
  const pool = process.env["UV_THREADPOOL_SIZE"] ?? availableParallelism();
  return ok(
    "agnes",
    `${manifest.version} (${kind}), Bun ${Bun.version}, ${process.platform}-${process.arch}, ${plural(Number(pool), "pool thread")}`,
  );
}

/** Checks that DuckDB starts, and reports its version and installed extensions. */
export async function duckdbChecks(): Promise<readonly Check[]> {
  await using database = await openDatabase();
  await using connection = await database.connect();
  const [row] = await connection.rows<{ version: string }>("SELECT version() AS version");
  const extensions = await connection.rows<{ name: string }>(
    "SELECT extension_name AS name FROM duckdb_extensions() WHERE installed OR loaded ORDER BY name",
  );
  return [
    ok("DuckDB", row!.version),
    ok("extensions", extensions.map(({ name }) => name).join(", ") || "none installed"),
  ];
}

const SPACE_MIN_BYTES = 1e9;

/** Checks that the data folder is writable, and reports its free space. */
export async function dataFolderChecks(directory: string): Promise<readonly Check[]> {
  const host = createHost();
  const { files } = host;
  const probe = join(directory, `.doctor-${randomName(host)}.tmp`);
  await files.makeDirectory(directory);
  await files.write(probe, "");
  await files.remove(probe);
  const { bavail, bsize } = await statfs(directory);
  const free = Number(bavail) * Number(bsize);
  const message = `${directory} is writable, ${sizeText(free)} free`;
  return free < SPACE_MIN_BYTES
    ? [warning("data folder", message, "Free some space, or set AGNES_DATA_DIR to a larger disk.")]
    : [ok("data folder", message)];
}

/** `3 tables in generation 7` */
export function publishedText(tables: number, generation: number): string {
  return `${plural(tables, "table")} in generation ${generation}`;
}

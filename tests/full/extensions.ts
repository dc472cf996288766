import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { join } from "node:path";

import { ROOT } from "../../tools/source.ts";
import { oneAtATime } from "./one-at-a-time.ts";
import { pythonWith, run } from "./python.ts";

/** The DuckDB that the extensions are made for: that of `@duckdb/node-api`. */
export const DUCKDB = "1.5.5";

const CACHE = join(ROOT, "node_modules/.cache/agnes-extensions", DUCKDB);

/**
 * The file of an official, signed DuckDB extension, as PyPI has it; downloaded when it is first asked for.
 * A machine that cannot get it fails the tests that need it.
 */
export function extensionFile(name: string): string {
  const path = join(CACHE, `${name}.duckdb_extension`);
  if (existsSync(path)) return path;
  // It takes the same lock, which cannot be held twice.
  const python = pythonWith([]);
  oneAtATime(() => {
    if (!existsSync(path)) download(name, path, python);
  });
  return path;
}

function download(name: string, path: string, python: string): void {
  const wheels = join(CACHE, `wheel-${name}`);
  rmSync(wheels, { recursive: true, force: true });
  mkdirSync(wheels, { recursive: true });
  const wanted = `duckdb-extension-${name.replaceAll("_", "-")}==${DUCKDB}`;
  const quietly = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
  run(python, [...quietly, "--dest", wheels, wanted]);
  const wheel = readdirSync(wheels).find((file) => file.endsWith(".whl"))!;
  run(python, ["-m", "zipfile", "-e", join(wheels, wheel), wheels]);
  const inside = join(wheels, `duckdb_extension_${name}/extensions/v${DUCKDB}/${name}.duckdb_extension`);
  renameSync(inside, path);
  rmSync(wheels, { recursive: true });
}

/** DuckDB's repositories of extensions, as far as a test needs them. */
export interface Repository extends Disposable {
  /** What DuckDB takes for a proxy. */
  readonly environment: Readonly<Record<string, string>>;
  /** What it was asked for: `extensions.duckdb.org/sqlite_scanner`. */
  readonly asked: readonly string[];
}

/** Stands between DuckDB and its repositories, and gives the extensions of PyPI for those of the core repository. */
export function openRepository(): Repository {
  const asked: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      const { hostname, pathname } = new URL(request.url);
      const name = /\/(\w+)\.duckdb_extension\.gz$/.exec(pathname)?.[1] ?? pathname;
      asked.push(`${hostname}/${name}`);
      return hostname === "extensions.duckdb.org"
        ? new Response(gzipSync(new Uint8Array(readFileSync(extensionFile(name))), { level: 1 }))
        : new Response("there is none", { status: 404 });
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    environment: { HTTP_PROXY: url },
    asked,
    [Symbol.dispose]: () => void server.stop(true),
  };
}

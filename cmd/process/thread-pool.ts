import { dlopen, FFIType } from "bun:ffi";

import { withCLibrary } from "./c-library.ts";

/** Threads for files, names and queries; DuckDB keeps one for each running query. */
const POOL_THREADS = 16;

/**
 * Makes the thread pool larger than the number of cores, which is Bun's default.
 *
 * The setting is read from the environment of the process, not from `process.env`, and only before the first use of the
 * pool. In a run from source, Bun has already used the pool to read source files. The variable is then not set, so that
 * the gate of `lib/duckdb` does not admit more queries than there are threads.
 */
export function enlargeThreadPool(): void {
  if (process.env["UV_THREADPOOL_SIZE"] !== undefined || !isExecutable()) return;
  if (
    withCLibrary((library) => setEnvironment(library, "UV_THREADPOOL_SIZE", String(POOL_THREADS))) === true
  ) {
    process.env["UV_THREADPOOL_SIZE"] = String(POOL_THREADS);
  }
}

/** Whether the program runs as the compiled executable. */
export function isExecutable(): boolean {
  return Bun.embeddedFiles.length > 0;
}

/** The program that runs, to start it again with other arguments. */
export function ownCommand(): readonly [string, ...string[]] {
  return isExecutable() ? [process.execPath] : [process.execPath, Bun.main];
}

function setEnvironment(library: string, name: string, value: string): boolean {
  const { symbols } = dlopen(library, {
    setenv: { args: [FFIType.cstring, FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
  });
  return symbols.setenv(Buffer.from(`${name}\0`), Buffer.from(`${value}\0`), 1) === 0;
}

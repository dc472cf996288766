import { dlopen, FFIType } from "bun:ffi";

import { withCLibrary } from "./c-library.ts";

/** Threads for files, names and queries; DuckDB keeps one for each running query. */
const POOL_THREADS = 16;

/**
 * Makes the thread pool larger than the number of cores, which is what Bun gives.
 *
 * Only the environment of the process itself is read for this, not `process.env`, and only before the pool's first
 * use. From source Bun has used it by then, to read our own files; saying otherwise would let the gate of
 * `lib/duckdb` admit more queries than there are threads.
 */
export function enlargeThreadPool(): void {
  if (process.env["UV_THREADPOOL_SIZE"] !== undefined || !isExecutable()) return;
  if (
    withCLibrary((library) => setEnvironment(library, "UV_THREADPOOL_SIZE", String(POOL_THREADS))) === true
  ) {
    process.env["UV_THREADPOOL_SIZE"] = String(POOL_THREADS);
  }
}

/** Whether this runs as the compiled executable. */
export function isExecutable(): boolean {
  return Bun.embeddedFiles.length > 0;
}

function setEnvironment(library: string, name: string, value: string): boolean {
  const { symbols } = dlopen(library, {
    setenv: { args: [FFIType.cstring, FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
  });
  return symbols.setenv(Buffer.from(`${name}\0`), Buffer.from(`${value}\0`), 1) === 0;
}

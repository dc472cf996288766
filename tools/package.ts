/** Builds the npm package into `dist/`, or into the folder of the argument: JavaScript and declarations of `lib` and `plugins`. */
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { run } from "./run.ts";
import { ROOT } from "./source.ts";

/** Builds into a folder; returns the compiler's exit status. */
export function buildPackage(directory: string): number {
  for (const part of ["lib", "plugins"]) rmSync(join(directory, part), { recursive: true, force: true });
  return run(join(ROOT, "node_modules/.bin/tsc"), "-p", "tsconfig.build.json", "--outDir", directory);
}

if (import.meta.main) {
  const { positionals } = parseArgs({ allowPositionals: true });
  process.exit(buildPackage(resolve(ROOT, positionals[0] ?? "dist")));
}

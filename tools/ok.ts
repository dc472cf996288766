/**
 * Checks everything: format, lint, types, unused code (also what only tests use), reference, package, tests. Stops at
 * the first that fails.
 */
import { run } from "./run.ts";

const bun = process.execPath;
const checks: readonly (readonly [string, ...string[]])[] = [
  [bun, "fmt", "--check"],
  ["oxlint", "--type-aware"],
  ["tsc", "--noEmit"],
  ["knip", "--no-config-hints"],
  ["knip", "--no-config-hints", "--production"],
  [bun, "tools/reference.ts", "--check"],
  ...(process.argv.includes("--static") ? [] : [[bun, "tools/test.ts"] as const]),
];

for (const [command, ...parameters] of checks) {
  console.error(`> ${[command === bun ? "bun" : command, ...parameters].join(" ")}`);
  const status = run(command, ...parameters);
  if (status !== 0) process.exit(status);
}

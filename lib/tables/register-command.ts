import type { Capability } from "../kit/mod.ts";

/** The command that registers a table of a source by hand; `null` when the plugin can neither copy nor query tables. */
export function registerCommand(source: string, capabilities: readonly Capability[]): string | null {
  const can = (...wanted: readonly Capability[]) => wanted.some((one) => capabilities.includes(one));
  if (can("read", "stream")) return `agnes table register ${source} TABLE`;
  return can("remote", "query") ? `agnes table register ${source} TABLE --mode remote` : null;
}

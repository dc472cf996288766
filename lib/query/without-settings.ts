/** Removes DuckDB's advice to change settings from a message, because settings are locked. */
export function withoutSettings(reason: string): string {
  return reason.replace(/[\s-]*\bUse ["'`]?(?:SET|PRAGMA) [a-z_]+[^.\n]*\.?/g, "").trim();
}

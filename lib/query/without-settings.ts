/** What DuckDB says, without its advice to change a setting: settings are locked, and SET is refused. */
export function withoutSettings(reason: string): string {
  return reason.replace(/[\s-]*\bUse ["'`]?(?:SET|PRAGMA) [a-z_]+[^.\n]*\.?/g, "").trim();
}

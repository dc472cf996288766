/** Numbers formatted for people. */

/** `12,345,678` */
export function countText(count: number): string {
  return count.toLocaleString("en-US");
}

/** `812 bytes`, `1.4 MB`; powers of ten. */
export function sizeText(sizeBytes: number): string {
  if (sizeBytes < 1000) return plural(sizeBytes, "byte");
  const units = ["kB", "MB", "GB", "TB"];
  let value = sizeBytes / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** `35 ms`, `2.4 s`, `3 min 20 s`. */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 59_950) return `${(durationMs / 1000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `1 table`, `2 tables`. */
export function plural(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? "" : "s"}`;
}

import type { ProfileValue, TypeCategory } from "./types.ts";

/** Returns DuckDB's text of a value as JSON. */
export function valueOf(category: TypeCategory, text: unknown): ProfileValue {
  if (typeof text !== "string") return null;
  if (category === "BOOLEAN") return text === "true";
  if (category !== "NUMERIC") return text;
  const number = Number(text);
  if (!Number.isFinite(number)) return text;
  return digitsOf(String(number)) === digitsOf(text) ? number + 0 : text;
}

/** The significant digits of a number. */
function digitsOf(text: string): string {
  const digits = text.replace(/e.*$/i, "").replace(/\D/g, "");
  return digits.replace(/^0+|0+$/g, "");
}

/** Returns a number of DuckDB; null if there is none, or it is not finite. */
export function numberOf(value: unknown): number | null {
  if (value === null || value === undefined) return null;
  const number = Number(value);
  // There is no -0 in JSON.
  return Number.isFinite(number) ? number + 0 : null;
}

/** Returns a share in percent with two digits; 0 of 0 is 0. */
export function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}

import { isLosslessNumber, parse } from "lossless-json";

import { sameMoment } from "./compare-moments.ts";
import { exactNumber } from "./exact-number.ts";

/** Whether two JSON texts have the same values; a key that is missing is null. */
export function sameJson(written: string, actual: string): boolean {
  return same(parse(written), parseOr(actual));
}

function parseOr(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return Symbol("no JSON");
  }
}

function same(a: unknown, b: unknown): boolean {
  if (isLosslessNumber(a)) return isLosslessNumber(b) && exactNumber(a.value) === exactNumber(b.value);
  if (typeof a === "string") return typeof b === "string" && (a === b || sameMoment(a, b));
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => same(item, b[at]));
  if (a === null || typeof a !== "object") return a === b;
  if (b === null || typeof b !== "object" || Array.isArray(b)) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((key) =>
    same(left[key] ?? null, right[key] ?? null),
  );
}

import { formatType, type TypeTree } from "../type-tree.ts";
import type { Shape } from "./shape.ts";

const INTEGER_BITS: Readonly<Record<string, number>> = {
  TINYINT: 8,
  SMALLINT: 16,
  INTEGER: 32,
  BIGINT: 64,
  HUGEINT: 128,
};

/** Parts store a HUGEINT as DECIMAL(38,0). */
export const GREATEST_HUGE: bigint = 10n ** 38n - 1n;

/** The digits that are kept when DuckDB converts a number to a decimal through a double. */
const EXACT_DIGITS = 15;

/**
 * Whether a type preserves all values of a shape.
 *
 * A shape only grows, so the first value that makes this false is the first misfit.
 */
export function fits(shape: Shape, type: TypeTree, isConfigured: boolean): boolean {
  if (type.kind === "struct") return fitsStruct(shape, type, isConfigured);
  if (type.kind === "list") {
    const isList = !hasScalars(shape) && shape.objects === 0;
    return isList && (shape.element === null || fits(shape.element, type.element, isConfigured));
  }
  if (type.kind === "map") {
    const isMap = !hasScalars(shape) && shape.lists === 0 && formatType(type.key) === "VARCHAR";
    return isMap && (shape.mapValue === null || fits(shape.mapValue, type.value, isConfigured));
  }
  const { name } = type;
  if (name === "JSON") return true;
  if (shape.objects > 0 || shape.lists > 0) return name === "VARCHAR" && isConfigured;
  if (name === "VARCHAR") return true;
  if (name === "BOOLEAN") return shape.numbers === 0 && shape.strings === 0;
  const onlyNumbers = shape.booleans === 0 && shape.strings === 0;
  const onlyStrings = shape.booleans === 0 && shape.numbers === 0;
  // DuckDB converts `-0` to 0, so only text preserves it.
  if (shape.hasNegativeWholeZero && !isConfigured) return false;
  const range = integerRange(name);
  if (range !== null) return onlyNumbers && fitsInteger(shape, range, isConfigured);
  switch (name) {
    case "DECIMAL":
      return onlyNumbers && fitsDecimal(shape, Number(type.parameters[0]), Number(type.parameters[1]));
    case "DOUBLE":
      return onlyNumbers && (isConfigured ? !shape.isBeyondDouble : fitsDouble(shape));
    case "FLOAT":
      return onlyNumbers && !shape.isBeyondDouble;
    case "DATE":
      return onlyStrings && only(shape, "date");
    case "TIMESTAMP":
      return onlyStrings && only(shape, "date", "timestamp");
    case "TIMESTAMP WITH TIME ZONE":
      return onlyStrings && only(shape, "zoned");
    default:
      // A configured type is read as text, which SQL checks; see `textTypeOf`.
      return onlyStrings;
  }
}

/** Whether doubles preserve the digits of all numbers of a shape. */
export function fitsDouble(shape: Shape): boolean {
  return !shape.isBeyondDouble && !shape.isInexact;
}

function fitsStruct(shape: Shape, type: TypeTree & { kind: "struct" }, isConfigured: boolean): boolean {
  if (hasScalars(shape) || shape.lists > 0 || shape.isOpaque) return false;
  const types = new Map(type.fields);
  return shape.order.every((field) => {
    const own = types.get(field.name);
    return own !== undefined && fits(field.shape, own, isConfigured);
  });
}

function hasScalars(shape: Shape): boolean {
  return shape.booleans > 0 || shape.numbers > 0 || shape.strings > 0;
}

function only(shape: Shape, ...moments: readonly string[]): boolean {
  return [...shape.moments].every((moment) => moment !== null && moments.includes(moment));
}

/** The minimum and maximum of an integer type. */
function integerRange(name: string): readonly [bigint, bigint] | null {
  if (name === "HUGEINT") return [-GREATEST_HUGE, GREATEST_HUGE];
  const bits = INTEGER_BITS[name];
  if (bits !== undefined) return [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
  const unsigned = name.startsWith("U") ? INTEGER_BITS[name.slice(1)] : undefined;
  return unsigned === undefined ? null : [0n, 2n ** BigInt(unsigned) - 1n];
}

function fitsInteger(
  shape: Shape,
  [least, greatest]: readonly [bigint, bigint],
  isConfigured: boolean,
): boolean {
  if (shape.hasNegativeZero || shape.hasExponent || shape.wholeDigits > 39) return false;
  if (shape.hasFraction && !(isConfigured && shape.fractionNeeded === 0 && shape.fractionWholeDigits <= 4))
    return false;
  return shape.least >= least && shape.greatest <= greatest;
}

/** Whether the numbers of a shape, at least one of which has a fraction, fit a decimal. */
export function fitsDecimal(shape: Shape, width: number, scale: number): boolean {
  if (shape.hasNegativeZero || shape.hasExponent || shape.fractionNeeded > scale) return false;
  if (shape.wholeDigits > Math.max(1, width - scale)) return false;
  return !shape.hasFraction || shape.fractionWholeDigits + scale <= EXACT_DIGITS;
}

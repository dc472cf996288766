import { scalar, type TypeTree } from "../type-tree.ts";
import { fits, fitsDecimal, fitsDouble, GREATEST_HUGE } from "./fits.ts";
import type { Shape } from "./shape.ts";

/** The type of numbers with a fraction and without an exponent. */
export type Fractions = "decimal" | "double";

const VARCHAR = scalar("VARCHAR");
export const JSON_TEXT: TypeTree = scalar("JSON");
/** The type of mixed kinds. If it is nested, the enclosing types become JSON, too, because a text would lose the kind. */
const MIXED_JSON = scalar("JSON");
const SCALE_MAX = 6;
const DECIMAL_WIDTH = 18;
const LEAST_BIG = -(2n ** 63n);
const GREATEST_BIG = 2n ** 63n - 1n;

/** The narrowest type that preserves all values of a shape. */
export function decideType(shape: Shape, fractions: Fractions): TypeTree {
  const isNested = shape.objects > 0 || shape.lists > 0;
  const scalars = [shape.booleans, shape.numbers, shape.strings].filter((count) => count > 0).length;
  if (isNested) {
    if (scalars > 0 || (shape.objects > 0 && shape.lists > 0)) return MIXED_JSON;
    return shape.objects > 0 ? recordType(shape, fractions) : listType(shape, fractions);
  }
  if (scalars !== 1) return VARCHAR;
  if (shape.booleans > 0) return scalar("BOOLEAN");
  return shape.numbers > 0 ? numberType(shape, fractions) : momentType(shape);
}

function recordType(shape: Shape, fractions: Fractions): TypeTree {
  if (shape.isOpaque || shape.order.length === 0) return JSON_TEXT;
  const fields = shape.order.map(({ name, shape: field }) => [name, decideType(field, fractions)] as const);
  return fields.some(([, type]) => type === MIXED_JSON) ? MIXED_JSON : { kind: "struct", fields };
}

function listType(shape: Shape, fractions: Fractions): TypeTree {
  const { element } = shape;
  if (element === null || !element.isSeen) return JSON_TEXT;
  const type = decideType(element, fractions);
  if (type === MIXED_JSON) return MIXED_JSON;
  return type === JSON_TEXT ? JSON_TEXT : { kind: "list", element: type, length: null };
}

/** The narrowest type of the numbers of a shape, regardless of its other values. */
export function numberType(shape: Shape, fractions: Fractions): TypeTree {
  if (shape.hasNegativeWholeZero) return VARCHAR;
  if (!shape.hasFraction) {
    if (shape.wholeDigits > 39) return VARCHAR;
    if (shape.least >= LEAST_BIG && shape.greatest <= GREATEST_BIG) return scalar("BIGINT");
    const isHuge = shape.least >= -GREATEST_HUGE && shape.greatest <= GREATEST_HUGE;
    return isHuge ? scalar("HUGEINT") : VARCHAR;
  }
  const scale = shape.fractionDigits;
  const decimal: TypeTree = {
    kind: "scalar",
    name: "DECIMAL",
    parameters: [String(DECIMAL_WIDTH), String(scale)],
  };
  const double = scalar("DOUBLE");
  if (fractions === "decimal" && scale <= SCALE_MAX && fitsDecimal(shape, DECIMAL_WIDTH, scale))
    return decimal;
  return fitsDouble(shape) ? double : VARCHAR;
}

function momentType(shape: Shape): TypeTree {
  for (const name of ["DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]) {
    if (fits(shape, scalar(name), false)) return scalar(name);
  }
  return VARCHAR;
}

import { formatType, NUMERIC, parseType, type TypeTree } from "../type-tree.ts";
import { decideType, numberType, type Fractions } from "./decide-type.ts";
import { fits } from "./fits.ts";
import { Shape } from "./shape.ts";
import type { Numeral } from "./tokens.ts";

/**
 * Widens a known type to one of the same kind that holds all values of that kind: numbers stay numbers, dates and
 * timestamps stay so, structs stay structs. Returns the known type if no wider one holds all of them.
 */
export function widerOfKind(shape: Shape, known: TypeTree, fractions: Fractions): TypeTree {
  if (fits(shape, known, false)) return known;
  switch (known.kind) {
    case "scalar":
      return widerScalar(shape, known, fractions);
    case "struct":
      return widerStruct(shape, known, fractions);
    case "list": {
      const { element } = shape;
      if (element === null || !element.isSeen) return known;
      return { ...known, element: widerOfKind(element, known.element, fractions) };
    }
    case "map":
      return known;
  }
}

type Scalar = TypeTree & { readonly kind: "scalar" };
type Struct = TypeTree & { readonly kind: "struct" };

function widerScalar(shape: Shape, known: Scalar, fractions: Fractions): TypeTree {
  if (NUMERIC.test(known.name)) {
    const type = shape.numbers === 0 ? known : numberType(shape, fractions);
    return formatType(type) === "VARCHAR" ? known : type;
  }
  const isWider = known.name === "DATE" && shape.moments.has("timestamp");
  return isWider ? parseType("TIMESTAMP") : known;
}

function widerStruct(shape: Shape, known: Struct, fractions: Fractions): TypeTree {
  if (shape.isOpaque || shape.fields === null) return known;
  const own = new Set(known.fields.map(([name]) => name));
  const kept = known.fields.map(([name, type]) => {
    const field = shape.fields!.get(name);
    return [name, field === undefined ? type : widerOfKind(field.shape, type, fractions)] as const;
  });
  const added = shape.order
    .filter(({ name }) => !own.has(name))
    .map(({ name, shape: field }) => [name, decideType(field, fractions)] as const);
  // Numbers of JSON inside a struct would be rounded.
  const isMixed = added.some(([, type]) => /\bJSON\b/.test(formatType(type)));
  return isMixed ? known : { kind: "struct", fields: [...kept, ...added] };
}

const SAFE_DIGITS = 15;
const SCALE_MAX = 6;

/** Whether only text can hold a number. */
export function isTextNumeral(numeral: Numeral, bytes: Uint8Array, start: number): boolean {
  const { wholeDigits, fractionDigits, hasExponent, isNegative, isZero } = numeral;
  const isOrdinary = wholeDigits + fractionDigits <= SAFE_DIGITS && fractionDigits <= SCALE_MAX;
  if (isOrdinary && !hasExponent && !(isNegative && isZero)) return false;
  const alone = new Shape();
  alone.addNumber(numeral, bytes, start);
  return formatType(numberType(alone, "decimal")) === "VARCHAR";
}

/** Whether a value that does not fit a type may fit a wider one of its kind. */
export function mayWiden(type: string, value: string, isNumber: boolean): boolean {
  if (isNumber) return NUMERIC.test(type.replace(/\(.*\)$/, "")) && type !== "DOUBLE";
  return type === "DATE" && /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(value);
}

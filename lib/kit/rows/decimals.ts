import { counted } from "../../base/mod.ts";
import * as arrow from "apache-arrow";

import { isNot, Validity, type ColumnBuilder } from "./column.ts";
import { writeWords } from "./numbers.ts";

const NUMERAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,4}))?$/i;

/** Exact decimal numbers; values that would lose a digit are rejected. */
export function decimalBuilder(type: arrow.Decimal): ColumnBuilder {
  const { scale, precision } = type;
  const wordsPerValue = type.bitWidth / 32;
  const factor = 10 ** scale;
  const limit = 10n ** BigInt(precision);
  const small = Math.min(Number.MAX_SAFE_INTEGER, 10 ** precision - 1);
  return (values, length, reject) => {
    const data = new Uint32Array(length * wordsPerValue);
    const words = new Int32Array(data.buffer);
    const validity = new Validity(length);
    for (let i = 0; i < length; i += 1) {
      const value = values[i];
      const at = i * wordsPerValue;
      const quick = typeof value === "string" ? quickUnscaled(value, scale) : value;
      if (typeof quick === "number") {
        const unscaled = typeof value === "string" ? quick : exactProduct(quick, factor);
        if (unscaled <= small && unscaled >= -small) {
          writeWords(words, at, unscaled);
          if (unscaled < 0) words.fill(-1, at + 2, at + wordsPerValue);
          continue;
        }
      }
      if (value == null) {
        validity.setNull(i);
        continue;
      }
      const unscaled = exactUnscaled(value, scale);
      if (typeof unscaled === "bigint" && unscaled < limit && unscaled > -limit) {
        for (let word = 0; word < wordsPerValue; word += 1) {
          data[at + word] = Number(BigInt.asUintN(32, unscaled >> BigInt(32 * word)));
        }
      } else {
        const tooLong = `it has more than ${counted(precision - scale, "digit")} before the point`;
        reject(i, value, typeof unscaled === "string" ? unscaled : tooLong);
        validity.setNull(i);
      }
    }
    return arrow.makeData({ type, ...validity.parts(), data });
  };
}

/** `value * factor` if that is a safe integer that represents exactly `value`, otherwise NaN. */
function exactProduct(value: number, factor: number): number {
  const product = Math.round(value * factor);
  return Number.isSafeInteger(product) && product / factor === value ? product : Number.NaN;
}

/** A plain numeral of at most 15 digits, unscaled; `undefined` if it needs exact arithmetic. */
function quickUnscaled(text: string, scale: number): number | undefined {
  const { length } = text;
  let unscaled = 0;
  let digits = 0;
  let decimals = -1;
  const start = text.charCodeAt(0) === 45 ? 1 : 0;
  for (let i = start; i < length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === 46 && decimals < 0) decimals = 0;
    else if (code >= 48 && code <= 57) {
      unscaled = unscaled * 10 + (code - 48);
      digits += 1;
      if (decimals >= 0) decimals += 1;
    } else return undefined;
  }
  const missing = scale - Math.max(0, decimals);
  if (digits === 0 || missing < 0 || digits + missing > 15) return undefined;
  const value = unscaled * 10 ** missing;
  return start === 1 ? -value : value;
}

/** Returns the value times ten to the power of `scale`, or the reason for rejecting it. */
function exactUnscaled(value: unknown, scale: number): bigint | string {
  if (typeof value === "bigint") return value * 10n ** BigInt(scale);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return "it is not a finite number";
    // Sums of doubles differ in the 17th digit, so 15 equal digits count as equal.
    const rounded = Math.abs(value) < 1e21 ? value.toFixed(Math.min(100, scale)) : BigInt(value).toString();
    return Number(rounded) === Number(value.toPrecision(15)) || Number(rounded) === value
      ? (unscaledText(rounded, scale) as bigint)
      : tooFine(scale);
  }
  if (typeof value === "string") return unscaledText(value, scale);
  return isNot("a number", value);
}

function unscaledText(text: string, scale: number): bigint | string {
  const match = NUMERAL.exec(text);
  const whole = match?.[2] ?? "";
  const fraction = match?.[3] ?? "";
  if (match === null || whole + fraction === "") return "the text is not a number";
  const digits = whole + fraction;
  const shift = scale - fraction.length + Number(match[4] ?? 0);
  const kept = shift >= 0 ? digits + "0".repeat(shift) : digits.slice(0, shift);
  if (shift < 0 && /[1-9]/.test(digits.slice(shift))) return tooFine(scale);
  const unscaled = BigInt(kept || "0");
  return match[1] === "-" ? -unscaled : unscaled;
}

function tooFine(scale: number): string {
  return `it has more than ${counted(scale, "digit")} after the point`;
}

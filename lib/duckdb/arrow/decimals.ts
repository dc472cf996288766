import * as arrow from "apache-arrow";

import { counted } from "../../base/mod.ts";
import { checkedValues, isNull, Malformed } from "./scratch.ts";

/**
 * Checks that decimals have at most the digits of their type, because longer ones would be truncated.
 *
 * @param words the number of 32-bit words of a value
 */
export function checkDigits(
  data: arrow.Data,
  from: number,
  count: number,
  { precision, words }: { readonly precision: number; readonly words: number },
): void {
  const values = checkedValues(data.values as unknown as Uint32Array, from, count, words);
  const limit = 10 ** precision;
  // The relative error of a double is less than 10 ** -15.
  const safeLimit = limit * (1 - 1e-12);
  for (let row = 0, word = from * words; row < count; row++, word += words) {
    let top = words - 1;
    const sign = (values[word + top]! | 0) >> 31;
    while (top > 1 && (values[word + top]! | 0) === sign && (values[word + top - 1]! | 0) >> 31 === sign)
      top--;
    let value = values[word + top]! | 0;
    for (let index = top - 1; index >= 0; index--) value = value * 2 ** 32 + values[word + index]!;
    if (Math.abs(value) < safeLimit || isNull(data, from + row)) continue;
    const exact = integerAt(values, word, words);
    if (exact > -(10n ** BigInt(precision)) && exact < 10n ** BigInt(precision)) continue;
    throw new Malformed(
      `a value has more than ${counted(precision, "digit")}: ${exact}`,
      "Cast the column to VARCHAR or DOUBLE in the query or in a view of the source, or exclude it with `columns` of the table.",
    );
  }
}

/** Checks all decimals of a column, including nested ones. */
export function checkAllDigits(data: arrow.Data): void {
  const type = data.type as arrow.DataType;
  if (arrow.DataType.isDecimal(type)) {
    checkDigits(data, 0, data.length, { precision: type.precision, words: type.bitWidth / 32 });
  }
  for (const child of data.children) checkAllDigits(child as arrow.Data);
}

function integerAt(values: Uint32Array, start: number, words: number): bigint {
  let value = BigInt(values[start + words - 1]! | 0);
  for (let word = words - 2; word >= 0; word--) value = (value << 32n) | BigInt(values[start + word]!);
  return value;
}

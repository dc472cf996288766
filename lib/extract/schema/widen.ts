import { storedType } from "../../duckdb/mod.ts";

/** Integer types with the number of bits for their magnitude, without the sign. */
const INTEGERS: Readonly<Record<string, { readonly bits: number; readonly signed: boolean }>> = {
  TINYINT: { bits: 7, signed: true },
  SMALLINT: { bits: 15, signed: true },
  INTEGER: { bits: 31, signed: true },
  BIGINT: { bits: 63, signed: true },
  HUGEINT: { bits: 127, signed: true },
  UTINYINT: { bits: 8, signed: false },
  USMALLINT: { bits: 16, signed: false },
  UINTEGER: { bits: 32, signed: false },
  UBIGINT: { bits: 64, signed: false },
};

const EXACT_BITS: Readonly<Record<string, number>> = { FLOAT: 24, DOUBLE: 53 };

/** Types that convert to text without loss. */
const TEXTUAL =
  /^(BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(\d+,\s*\d+\)|DATE|TIME|TIMESTAMP(_S|_MS|_NS)?|TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ|UUID|INTERVAL|JSON)$/;

/** Whether a cast from `from` to `to` preserves all values. */
export function isLossless(from: string, to: string): boolean {
  if (from === to || storedType(from) === to) return true;
  const [a, b] = [INTEGERS[from], INTEGERS[to]];
  if (a !== undefined && b !== undefined) return b.bits >= a.bits && (b.signed || !a.signed);
  if (a !== undefined && EXACT_BITS[to] !== undefined) return a.bits <= EXACT_BITS[to];
  if (from === "FLOAT" && to === "DOUBLE") return true;
  const [decimalFrom, decimalTo] = [decimal(from), decimal(to)];
  if (a !== undefined && decimalTo !== null) {
    return decimalTo.width - decimalTo.scale >= Math.ceil(a.bits * Math.log10(2));
  }
  if (decimalFrom !== null && decimalTo !== null) {
    const whole = (d: { width: number; scale: number }) => d.width - d.scale;
    return decimalTo.scale >= decimalFrom.scale && whole(decimalTo) >= whole(decimalFrom);
  }
  if (from === "DATE" && to === "TIMESTAMP") return true;
  return to === "VARCHAR" && TEXTUAL.test(from);
}

/**
 * Returns the wider of two types if it holds all values of both, or else null.
 *
 * If all rows are `replaced`, numbers may change to any other numeric type and records or lists to any other type,
 * because no values of the old type remain.
 */
export function widest(was: string, is: string, options: { readonly replaced: boolean }): string | null {
  if (isLossless(was, is)) return is;
  if (isLossless(is, was)) return was;
  const isNumber = (type: string) =>
    INTEGERS[type] !== undefined || EXACT_BITS[type] !== undefined || decimal(type) !== null;
  const isNested = (type: string) => /^(STRUCT|MAP)\(|\]$/.test(type);
  const mayReplace = (isNumber(was) && isNumber(is)) || isNested(was) || isNested(is);
  return options.replaced && mayReplace ? is : null;
}

function decimal(type: string): { width: number; scale: number } | null {
  const found = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type);
  return found === null ? null : { width: Number(found[1]), scale: Number(found[2]) };
}

import { quoteLiteral, type Connection } from "../../duckdb/mod.ts";
import { isNode, textOf, wholeNumberOf, type Node } from "./tree.ts";

/** The number of digits of a decimal type, and how many of them follow the point. */
interface DecimalType {
  readonly width: number;
  readonly scale: number;
}

const WIDTH_MAX = 38;

/** Returns the parts of `DECIMAL(width,scale)`; null for another type. */
export function decimalTypeOf(type: string): DecimalType | null {
  const [, width, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? [];
  if (width === undefined || Number(width) > WIDTH_MAX) return null;
  return { width: Number(width), scale: Number(scale) };
}

/** Returns a decimal type of DuckDB's tree as SQL; null for another type. */
export function formatDecimalType(type: Node): string | null {
  const info = type["type_info"] as Node | null;
  if (textOf(type["id"]) !== "DECIMAL" || info === null) return null;
  return `DECIMAL(${Number(info["width"])},${Number(info["scale"])})`;
}

/** Returns a decimal constant of DuckDB's tree, which contains its digits as an integer. */
export function constantDecimal(
  type: Node,
  value: unknown,
): { readonly text: string | null; readonly scale: number } {
  const scale = Number((type["type_info"] as Node)["scale"]);
  const number = digitsOf(value);
  if (number === null) return { text: null, scale };
  const digits = String(number < 0n ? -number : number).padStart(scale + 1, "0");
  const at = digits.length - scale;
  return {
    text: `${number < 0n ? "-" : ""}${digits.slice(0, at)}${scale === 0 ? "" : "."}${digits.slice(at)}`,
    scale,
  };
}

/** Returns the digits of a decimal; those of more than 64 bits are two halves. */
function digitsOf(value: unknown): bigint | null {
  if (!isNode(value)) return wholeNumberOf(value);
  const [upper, lower] = [wholeNumberOf(value["upper"]), wholeNumberOf(value["lower"])];
  return upper === null || lower === null ? null : (upper << 64n) + lower;
}

/** Casts a constant to a decimal type as DuckDB does, which rounds; null if the query fails with it. */
export async function castDecimal(
  connection: Connection,
  text: string,
  type: string,
): Promise<string | null> {
  const [row] = await connection.rows<{ text: string | null }>(
    `SELECT CAST(TRY_CAST(${quoteLiteral(text)} AS ${type}) AS VARCHAR) AS text`,
  );
  return row?.text ?? null;
}

/**
 * Returns a number as the shortest text that is exact in a column's type. Null if the type cannot represent it, because
 * engines then round it or fail, and if DuckDB's common type of both is too wide for the values of the column.
 *
 * @param scale the digits after the point in the type of the constant
 */
export function fitDecimal(text: string, scale: number, column: DecimalType): string | null {
  const short = shortDecimal(text);
  const [whole, fraction = ""] = short.replace("-", "").split(".");
  if (fraction.length > column.scale) return null;
  if (whole !== "0" && whole!.length > column.width - column.scale) return null;
  const isTooWide = scale > column.scale && column.width - column.scale + scale > WIDTH_MAX;
  return isTooWide ? null : short;
}

/** Removes the zeros after the last digit of a fraction. */
export function shortDecimal(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

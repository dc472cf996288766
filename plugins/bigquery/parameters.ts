import { arrow, isQueryArray, permanent, type QueryArray, type QueryParameter } from "agnes/kit";

const INT64_MAX = 2n ** 63n;
/** The digits of a NUMERIC, before and after the point. */
const NUMERIC = { whole: 29, scale: 9 };

/** A named parameter as BigQuery receives it. */
export interface NamedParameter {
  readonly name: string;
  readonly parameterType: { readonly type: string; readonly arrayType?: { readonly type: string } };
  /** Without a value it is null. */
  readonly parameterValue: {
    readonly value?: string;
    readonly arrayValues?: readonly { readonly value: string }[];
  };
}

/** Returns the parameters of a query, each with its type. A null has no type of its own, so it is a STRING. */
export function namedParameters(
  parameters: Readonly<Record<string, QueryParameter>>,
): readonly NamedParameter[] {
  return Object.entries(parameters).map(([name, value]) =>
    isQueryArray(value) ? arrayOf(name, value) : parameterOf(name, typeOf(value), textOf(name, value)),
  );
}

/** Returns an array. One without values has none in `arrayValues`, which is not null. */
function arrayOf(name: string, { type, values }: QueryArray): NamedParameter {
  const item = itemType(type);
  if (item === null)
    throw permanent(
      `the array ${name} has values of the type ${arrow.Type[type.typeId]}, which is not supported`,
    );
  const arrayValues = values.map((value) => {
    const text = textOf(name, value)!;
    return { value: item === "TIMESTAMP" ? text.replace(/([+-]\d\d)$/, "$1:00") : text };
  });
  return {
    name,
    parameterType: { type: "ARRAY", arrayType: { type: item } },
    parameterValue: { arrayValues },
  };
}

/** The type of the values of an array; null for a type without one. */
function itemType(type: arrow.DataType): string | null {
  const { DataType } = arrow;
  if (DataType.isBool(type)) return "BOOL";
  // The greatest unsigned integers are greater than those of INT64.
  if (DataType.isInt(type)) return type.bitWidth === 64 && !type.isSigned ? "BIGNUMERIC" : "INT64";
  if (DataType.isFloat(type)) return "FLOAT64";
  if (DataType.isDecimal(type)) {
    const fits = type.scale <= NUMERIC.scale && type.precision - type.scale <= NUMERIC.whole;
    return fits ? "NUMERIC" : "BIGNUMERIC";
  }
  if (DataType.isUtf8(type)) return "STRING";
  if (DataType.isDate(type)) return "DATE";
  if (!DataType.isTimestamp(type)) return null;
  return (type as arrow.Timestamp).timezone ? "TIMESTAMP" : "DATETIME";
}

/** Returns a parameter of a type. */
export function parameterOf(name: string, type: string, value: string | undefined): NamedParameter {
  return { name, parameterType: { type }, parameterValue: value === undefined ? {} : { value } };
}

function typeOf(value: Exclude<QueryParameter, QueryArray>): string {
  if (typeof value === "boolean") return "BOOL";
  if (typeof value === "bigint") return value >= -INT64_MAX && value < INT64_MAX ? "INT64" : "BIGNUMERIC";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "INT64" : "FLOAT64";
  return value instanceof Date ? "TIMESTAMP" : "STRING";
}

function textOf(name: string, value: Exclude<QueryParameter, QueryArray>): string | undefined {
  if (value === null) return undefined;
  if (!(value instanceof Date)) return String(value);
  if (Number.isNaN(value.getTime())) throw permanent(`the parameter ${name} is an invalid date`);
  return value.toISOString();
}

import { permanent, type QueryParameter } from "agnes/kit";

const INT64_MAX = 2n ** 63n;

/** A named parameter as BigQuery receives it. */
export interface NamedParameter {
  readonly name: string;
  readonly parameterType: { readonly type: string };
  /** Without a value it is null. */
  readonly parameterValue: { readonly value?: string };
}

/** Returns the parameters of a query, each with its type. A null has no type of its own, so it is a STRING. */
export function namedParameters(
  parameters: Readonly<Record<string, QueryParameter>>,
): readonly NamedParameter[] {
  return Object.entries(parameters).map(([name, value]) =>
    parameterOf(name, typeOf(value), textOf(name, value)),
  );
}

/** Returns a parameter of a type. */
export function parameterOf(name: string, type: string, value: string | undefined): NamedParameter {
  return { name, parameterType: { type }, parameterValue: value === undefined ? {} : { value } };
}

function typeOf(value: QueryParameter): string {
  if (typeof value === "boolean") return "BOOL";
  if (typeof value === "bigint") return value >= -INT64_MAX && value < INT64_MAX ? "INT64" : "BIGNUMERIC";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "INT64" : "FLOAT64";
  return value instanceof Date ? "TIMESTAMP" : "STRING";
}

function textOf(name: string, value: QueryParameter): string | undefined {
  if (value === null) return undefined;
  if (!(value instanceof Date)) return String(value);
  if (Number.isNaN(value.getTime())) throw permanent(`the parameter ${name} is an invalid date`);
  return value.toISOString();
}

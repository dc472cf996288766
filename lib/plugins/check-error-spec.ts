import { formatValue } from "../base/mod.ts";

/** The valid values of each field of an error spec. */
const fields: Readonly<
  Record<string, { readonly isValid: (value: unknown) => boolean; readonly rule: string }>
> = {
  status: {
    isValid: (value) => Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599,
    rule: "should be an HTTP status from 400 to 599",
  },
  exit: { isValid: (value) => value === 1 || value === 2, rule: "should be 1 or 2" },
  retry: {
    isValid: (value) => value === "transient" || value === "permanent",
    rule: 'should be "transient" or "permanent"',
  },
  isDataError: { isValid: (value) => typeof value === "boolean", rule: "should be true or false" },
  message: { isValid: (value) => typeof value === "function", rule: "should be a function" },
  hint: { isValid: (value) => typeof value === "function", rule: "should be a function" },
};

/** Returns why the spec of a declared error is invalid; `undefined` if it is valid. */
export function errorSpecProblem(spec: unknown): string | undefined {
  if (typeof spec !== "object" || spec === null)
    return "has no spec; make it with defineErrors and errorSpec";
  for (const [field, { isValid, rule }] of Object.entries(fields)) {
    const value = (spec as Readonly<Record<string, unknown>>)[field];
    if (!isValid(value))
      return `has ${value === undefined ? `no ${field}` : `the ${field} ${formatValue(value)}`}, but ${field} ${rule}`;
  }
  return undefined;
}

import { formatValue, nearest, redact } from "../../base/mod.ts";

const PRICE_FIELDS = ["amount", "currency"];

/** Reads the fields of a value of a plugin. */
export type FieldReader = ReturnType<typeof fieldReader>;

/**
 * Returns a reader of the fields of a value of a plugin, whose errors have no secrets.
 * @param what the value: `the estimate`
 * @param verb how the plugin passed it. Default: `returned`
 */
export function fieldReader(what: string, secrets: Iterable<string>, verb = "returned") {
  const hidden = [...secrets];
  const formatted = (value: unknown) => redact(formatValue(value), hidden);
  const problem = (path: string, value: unknown, reason: string) =>
    new TypeError(`it ${verb} ${formatted(value)} as ${path === "" ? what : path}, which ${reason}`);
  return {
    problem,
    /** Returns the fields of an object that has no others. */
    fields(value: unknown, path: string, known: readonly string[]): Readonly<Record<string, unknown>> {
      if (typeof value !== "object" || value === null || Array.isArray(value))
        throw problem(path, value, `is not an object; its fields are ${known.join(", ")}`);
      const unknown = Reflect.ownKeys(value).find((key) => !known.includes(key as string));
      if (unknown === undefined) return value as Readonly<Record<string, unknown>>;
      const near = nearest(String(unknown), known);
      const advice =
        near === undefined ? `its fields are ${known.join(", ")}` : `did you mean ${formatValue(near)}?`;
      const place = path === "" ? what : `${path} of ${what}`;
      throw new TypeError(`${place} has the unknown field ${formatted(unknown)}; ${advice}`);
    },
    figure(value: unknown, path: string, isInteger: boolean): void {
      if (value === undefined) return;
      const isFigure = typeof value === "number" && value >= 0 && value < Number.POSITIVE_INFINITY;
      if (isFigure && (!isInteger || Number.isInteger(value))) return;
      throw problem(path, value, `is not a non-negative ${isInteger ? "integer" : "number"}`);
    },
  };
}

/** Checks a price, if there is one. @throws TypeError naming the field */
export function checkPrice(price: unknown, read: FieldReader): void {
  if (price === undefined) return;
  const { amount, currency } = read.fields(price, "price", PRICE_FIELDS);
  if (amount === undefined) throw read.problem("price.amount", amount, "is not a non-negative number");
  read.figure(amount, "price.amount", false);
  if (typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency))
    throw read.problem("price.currency", currency, "is not an ISO 4217 code");
}

import * as v from "valibot";

/** The body of every error. */
export const errorBody = v.pipe(
  v.object({
    error: v.object({
      code: v.pipe(v.string(), v.description("The stable name of the failure")),
      message: v.pipe(v.string(), v.description("What failed, and the value")),
      hint: v.pipe(v.string(), v.description("The next step")),
      details: v.pipe(v.record(v.string(), v.unknown()), v.description("The values in the message, by name")),
    }),
  }),
  v.description("An error"),
  v.metadata({ ref: "Error" }),
);

/** The path of the routes of one table. */
export const tablePath = v.strictObject({
  id: v.pipe(
    v.string(),
    v.maxLength(400),
    v.description("Id `source.table` or view name, in any case"),
    v.examples(["shop.orders"]),
  ),
});

/** Names of fields that `v.record` leaves out. */
const LEFT_OUT = ["constructor", "prototype"];

/** The schema of an object with fields of any name. Unlike `v.record`, it rejects lists, and keeps all names. */
export function recordOf<const V extends v.GenericSchema>(name: v.GenericSchema<string, string>, value: V) {
  const record = v.record(name, value);
  const isRecord = (input: unknown): input is object =>
    typeof input === "object" && input !== null && !Array.isArray(input);
  return {
    ...record,
    "~run"(dataset, config) {
      const input = dataset.value;
      if (!isRecord(input)) return record["~run"]({ value: null }, config);
      const names = LEFT_OUT.filter((one) => Object.hasOwn(input, one));
      const others = v.object(Object.fromEntries(names.map((one) => [one, value])));
      const left = others["~run"]({ value: input }, config);
      const checked = record["~run"](dataset, config);
      checked.value = { ...(checked.value as object), ...(left.value as object) };
      return left.issues === undefined ? checked : { ...checked, typed: false, issues: left.issues };
    },
  } as typeof record;
}

import assert from "node:assert/strict";

import * as arrow from "apache-arrow";

import { quoteLiteral, table, type QueryArray, type QueryParameter } from "../../kit/mod.ts";
import { resultBatches } from "../../sources/mod.ts";
import { Workbench } from "./rows.ts";
import { able, type Session } from "./session.ts";
import type { SourceCase } from "./source-case.ts";

const TEXT = `it's a "text"; SELECT $whole, @whole -- ; \\`;
const MOMENT = "2026-03-04T05:06:07.890Z";

/** The values of the parameters, and how the result is checked. */
const PARAMETERS: Readonly<Record<string, { readonly value: QueryParameter; readonly check: string }>> = {
  text: { value: TEXT, check: `"text" = ${quoteLiteral(TEXT)}` },
  whole: { value: 42, check: `"whole" = 42` },
  // Cast, because DuckDB would compare a floating-point column with the rounded number.
  big: { value: 9_007_199_254_740_993n, check: `CAST("big" AS DECIMAL(38, 9)) = 9007199254740993` },
  fraction: { value: 0.5, check: `"fraction" = 0.5` },
  flag: { value: true, check: `"flag"` },
  moment: { value: new Date(MOMENT), check: `CAST("moment" AS TIMESTAMPTZ) = TIMESTAMPTZ '${MOMENT}'` },
  nothing: { value: null, check: `"nothing" IS NULL` },
};

const MICROS = "2026-03-04 05:06:07.890001";

/** Arrays by the DuckDB type of their values. Each type is also tested without values. */
const ARRAYS: Readonly<Record<string, QueryArray>> = {
  BOOLEAN: { type: new arrow.Bool(), values: [true, false] },
  BIGINT: { type: new arrow.Int64(), values: [9_007_199_254_740_993n, -1n, 9_223_372_036_854_775_807n] },
  DOUBLE: { type: new arrow.Float64(), values: [0.5, -1e300] },
  "DECIMAL(12,2)": { type: new arrow.Decimal(2, 12, 128), values: ["-0.01", "9999999999.99"] },
  VARCHAR: { type: new arrow.Utf8(), values: [TEXT, "", "Čapek"] },
  DATE: { type: new arrow.DateDay(), values: ["0001-01-01", "9999-12-31"] },
  TIMESTAMP: { type: new arrow.TimestampMicrosecond(), values: [MICROS, "1969-12-31 23:59:59.999999"] },
  TIMESTAMPTZ: { type: new arrow.TimestampMicrosecond("UTC"), values: [`${MICROS}+00`] },
};

/** Cases about the parameters of SQL that the source runs. */
export const parameterCases: readonly SourceCase[] = [
  {
    name: "query() returns the values of named parameters",
    needs: ["query"],
    when: (config) => config.parameterQuery !== undefined,
    async run(session) {
      const { signal, config } = session;
      const sql = config.parameterQuery!;
      const names = Object.keys(PARAMETERS).filter((name) => new RegExp(`[@$:]${name}\\b`).test(sql));
      assert.ok(names.length > 0, `${sql} has none of the parameters ${Object.keys(PARAMETERS).join(", ")}`);
      const parameters = Object.fromEntries(names.map((name) => [name, PARAMETERS[name]!.value]));
      const result = await able(session, "query").query(sql, { signal, parameters });
      await using bench = await Workbench.open(session);
      const rows = await bench.load(table("result", result.schema), resultBatches(result, { signal }));
      assert.equal(await bench.count(rows), 1, `the result of ${sql} is not one row`);
      for (const name of names) {
        const found = await bench.count(`(FROM ${rows} WHERE ${PARAMETERS[name]!.check})`);
        assert.equal(found, 1, `the parameter ${name} of ${sql} is returned with another value`);
      }
    },
  },
  {
    name: "query() returns the values of an array, also of one without values",
    needs: ["query"],
    when: (config) => config.arrayQuery !== undefined,
    async run(session) {
      for (const [type, keys] of Object.entries(ARRAYS)) {
        for (const array of [keys, { ...keys, values: [] }]) await checkArray(session, type, array);
      }
    },
  },
];

async function checkArray(session: Session, type: string, keys: QueryArray): Promise<void> {
  const { signal, config } = session;
  const sql = config.arrayQuery!;
  const result = await able(session, "query").query(sql, { signal, parameters: { keys } });
  const columns = result.schema.fields.map((field) => String(field.name));
  assert.deepEqual(columns, ["value"], `the result of ${sql} has other columns than one named "value"`);
  await using bench = await Workbench.open(session);
  const rows = await bench.load(table("result", result.schema), resultBatches(result, { signal }));
  const count = await bench.count(rows);
  assert.equal(count, keys.values.length, `an array of ${type} has another number of values in ${sql}`);
  for (const value of keys.values) {
    const literal = typeof value === "string" ? quoteLiteral(value) : `'${String(value)}'`;
    const found = await bench.count(
      `(FROM ${rows} WHERE CAST("value" AS ${type}) = CAST(${literal} AS ${type}))`,
    );
    assert.equal(found, 1, `the ${type} ${String(value)} of an array is returned as another value by ${sql}`);
  }
}

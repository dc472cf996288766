import assert from "node:assert/strict";

import { quoteLiteral, table, type QueryParameter } from "../../kit/mod.ts";
import { resultBatches } from "../../sources/mod.ts";
import { Workbench } from "./rows.ts";
import { able } from "./session.ts";
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
];

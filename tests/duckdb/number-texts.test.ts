import { expect, test } from "bun:test";

import * as arrow from "apache-arrow";
import * as fc from "fast-check";

import { encodeResult } from "../../lib/duckdb/mod.ts";
import { TextWriter } from "../../lib/duckdb/result/text-writer.ts";

/** The lines of CSV with the values of one column. */
async function csvOf(column: arrow.Vector): Promise<readonly string[]> {
  const batches = new arrow.Table({ v: column }).batches;
  const schema = batches[0]!.schema;
  const result = {
    schema,
    names: ["v"],
    batches: (async function* () {
      yield* batches;
    })(),
  };
  const pieces: Uint8Array[] = [];
  for await (const bytes of encodeResult(result, "csv")) pieces.push(bytes);
  return Buffer.concat(pieces).toString().trimEnd().split("\n").slice(1);
}

const decimals = fc
  .tuple(fc.maxSafeInteger(), fc.integer({ min: 0, max: 8 }))
  .map(([digits, scale]) => digits / 10 ** scale);

test("doubles have the shortest text that only they have, as in JavaScript", async () => {
  const numbers = fc.oneof(decimals, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer());
  await fc.assert(
    fc.asyncProperty(fc.array(numbers, { minLength: 1, maxLength: 50 }), async (values) => {
      const expected = values.map((value) => (Object.is(value, -0) ? "-0" : String(value)));
      expect(await csvOf(arrow.makeVector(Float64Array.from(values)))).toEqual(expected);
    }),
    { numRuns: 500 },
  );
  const edges = [0, -0, 0.1, -0.25, 0.001, 0.0001, 1e-7, 1e14 + 0.25, 999_999_999_999_999, 1e15, 1e21, -1e15];
  const texts = edges.map((value) => (Object.is(value, -0) ? "-0" : String(value)));
  expect(await csvOf(arrow.makeVector(Float64Array.from(edges)))).toEqual(texts);
});

test("integers have all their digits", async () => {
  const integers = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(integers, fc.maxSafeInteger().map(BigInt)), { minLength: 1 }),
      async (values) => {
        expect(await csvOf(arrow.makeVector(BigInt64Array.from(values)))).toEqual(values.map(String));
      },
    ),
  );
  const powers = Array.from({ length: 16 }, (_, at) => 10n ** BigInt(at));
  const edges = powers.flatMap((power) => [power - 1n, power, power + 1n, -power]);
  expect(await csvOf(arrow.makeVector(BigInt64Array.from(edges)))).toEqual(edges.map(String));
});

test("TextWriter.digits() writes the last digits of a safe integer, with leading zeros", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 18 }), (value, count) => {
      const out = new TextWriter();
      out.digits(value, count);
      expect(Buffer.from(out.peek()).toString()).toBe(String(value).padStart(count, "0").slice(-count));
    }),
  );
});

import { afterAll, describe, expect, test } from "bun:test";

import fc from "fast-check";

import { changedSpace, createEngine, quoteIdentifier, quoteLiteral } from "../../lib/duckdb/mod.ts";
import { createHost, type AgnesError } from "../../lib/base/mod.ts";
import { open } from "./support.ts";

const session = await open();
afterAll(() => session[Symbol.asyncDispose]());

/** A column of a SELECT: its SQL and what it is meant to be. */
interface Column {
  readonly sql: string;
  readonly name?: string;
  readonly value: string;
}

const PIECES = [
  "a",
  "'",
  '"',
  "$",
  "$$",
  "$a$",
  "--",
  "/*",
  "*/",
  "\\",
  "\n",
  "\u00a0",
  "\u2003",
  "é",
  "1",
  " ",
];
const text = fc.array(fc.constantFrom(...PIECES), { maxLength: 5 }).map((pieces) => pieces.join(""));
const column = fc.oneof(
  text.map((value): Column => ({ sql: quoteLiteral(value), value })),
  text.map((value): Column => ({
    sql: `E'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`,
    value,
  })),
  text
    .filter((value) => !value.includes("$"))
    .chain((value) =>
      fc.constantFrom("$$", "$a$", "$_1$").map((tag) => ({ sql: `${tag}${value}${tag}`, value })),
    ),
  text.map((part): Column => ({ sql: `1 AS ${quoteIdentifier(`n${part}`)}`, name: `n${part}`, value: "1" })),
);
const comment = fc.oneof(
  fc.constant(""),
  text.map((part) => `/*${part.replaceAll(/\/\*|\*\//g, "")} */ `),
  text.map((part) => `--${part.replaceAll("\n", "")}\n`),
);

describe("changedSpace()", () => {
  test("finds exactly the texts and names that DuckDB changes", async () => {
    const found = { changed: 0, same: 0 };
    const lists = fc.array(fc.tuple(comment, column), { minLength: 1, maxLength: 4 });
    const check = async (items: readonly (readonly [string, Column])[]) => {
      const sql = `SELECT ${items.map(([before, { sql: own }]) => `${before}${own}`).join(", ")}`;
      const { schema, batches } = await session.connection.stream(sql);
      let values: readonly string[] = [];
      for await (const batch of batches)
        values = batch.schema.fields.map((_, at) => String(batch.getChildAt(at)!.get(0)));
      const isSame = items.every(
        ([, { name, value }], at) =>
          values[at] === value &&
          (name === undefined || schema.fields[at]!.name.replace(/_\d+$/, "") === name),
      );
      if ((changedSpace(sql) === null) !== isSame)
        throw new Error(`${JSON.stringify(sql)}: ${values.join("|")}`);
      found[isSame ? "same" : "changed"] += 1;
    };
    await fc.assert(fc.asyncProperty(lists, check), { numRuns: 3000 });
    expect(found.changed).toBeGreaterThan(20);
    expect(found.same).toBeGreaterThan(1000);
  }, 60_000);

  test("knows all characters that DuckDB changes", async () => {
    const codes = Array.from({ length: 0x10_000 }, (_, code) => code).filter(
      (code) => code > 0x7f && (code < 0xd800 || code > 0xdfff),
    );
    const characters = codes.map((code) => String.fromCodePoint(code));
    const [row] = await session.connection.rows<{ all: string }>(
      `SELECT /* ' */ '${characters.join("")}' AS "all"`,
    );
    const changed = characters.filter((character, at) => row!.all[at] !== character);
    expect(changed).toHaveLength(18);
    expect(characters.filter((one) => changedSpace(`SELECT /* ' */ '${one}'`) !== null)).toEqual(changed);
  }, 60_000);

  test("the engine of a plugin rejects them", async () => {
    await using engine = createEngine(createHost(), { memoryMb: 256, threads: 1 });
    const query = engine.query("SELECT /* it's */ 'a\u00a0b' AS a").catch((error: unknown) => error);
    const { code, message } = (await query) as AgnesError;
    expect(code).toBe("sql_not_allowed");
    expect(message).toContain("the character U+00A0 in a text or name by a plain space");
    expect(message).toContain("before it, at character 21");
  });
});

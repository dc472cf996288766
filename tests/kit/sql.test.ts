import { describe, expect, test } from "bun:test";

import { openDatabase } from "../../lib/duckdb/mod.ts";
import {
  filterToSql,
  quoteIdentifier,
  quoteLiteral,
  toSelectSql,
  type Filter,
  type SqlDialect,
} from "../../lib/kit/mod.ts";

const DIALECTS: readonly SqlDialect[] = ["ansi", "bigquery", "snowflake"];
const codeOf = (work: () => unknown) => {
  try {
    return work();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
};

describe("quoteIdentifier()", () => {
  test("quoteIdentifier() quotes for each dialect, and rejects names it cannot represent", () => {
    const quoted = (name: string) => DIALECTS.map((dialect) => codeOf(() => quoteIdentifier(name, dialect)));
    expect(quoted("order-items")).toEqual(['"order-items"', "`order-items`", '"order-items"']);
    expect(quoted('say "hi"')).toEqual(['"say ""hi"""', '`say "hi"`', '"say ""hi"""']);
    for (const name of ["a`b", "a\\b", "a\nb"]) {
      expect(quoted(name)).toEqual([`"${name}"`, "invalid_identifier", `"${name}"`]);
    }
    for (const name of ["", "a\0b"]) expect(quoted(name)).toEqual(DIALECTS.map(() => "invalid_identifier"));
    expect(quoteIdentifier("a")).toBe('"a"');
  });
});

describe("quoteLiteral()", () => {
  test("quoteLiteral() escapes text for each dialect", () => {
    const quoted = (text: string) => DIALECTS.map((dialect) => quoteLiteral(text, dialect));
    expect(quoted("it's")).toEqual(["'it''s'", "'it\\'s'", "'it''s'"]);
    // In BigQuery and Snowflake a backslash escapes the quote behind it: \' OR true would end the text.
    expect(quoted("\\' OR true --")).toEqual([
      "'\\'' OR true --'",
      "'\\\\\\' OR true --'",
      "'\\\\'' OR true --'",
    ]);
    expect(quoted("a\nb\r")).toEqual(["'a\nb\r'", "'a\\nb\\r'", "'a\nb\r'"]);
  });

  test("quoteLiteral() formats numbers and timestamps, and rejects values without a literal", () => {
    const quoted = (value: Filter["values"][number]) =>
      DIALECTS.map((dialect) => codeOf(() => quoteLiteral(value, dialect)));
    expect(quoted(-1.5e30)).toEqual(["-1.5e+30", "-1.5e+30", "-1.5e+30"]);
    expect(quoted(true)).toEqual(["true", "true", "true"]);
    expect(quoted(2n ** 63n)).toEqual([
      "9223372036854775808",
      "BIGNUMERIC '9223372036854775808'",
      "9223372036854775808",
    ]);
    expect(quoted(-(2n ** 63n))).toEqual(DIALECTS.map(() => "-9223372036854775808"));
    expect(quoted(new Date("2026-01-31T10:00:00.123Z"))).toEqual([
      "TIMESTAMP '2026-01-31 10:00:00.123'",
      "TIMESTAMP '2026-01-31 10:00:00.123+00:00'",
      "'2026-01-31 10:00:00.123'::TIMESTAMP_NTZ",
    ]);
    expect(quoted("a\0b")).toEqual(["('a' || chr(0) || 'b')", "literal_unsupported", "literal_unsupported"]);
    const none = [NaN, Infinity, 10n ** 38n, new Date(NaN), new Date(8.64e15)];
    for (const value of none) expect(quoted(value)).toEqual(DIALECTS.map(() => "literal_unsupported"));
  });

  test("quoteLiteral() and quoteIdentifier() round-trip through DuckDB", async () => {
    await using database = await openDatabase();
    await using connection = await database.connect();
    const texts = ["it's", "\\' OR 1=1 --", 'a"b', "č\n\t'' \\\\", "🙂"];
    for (const text of texts) {
      const sql = `SELECT ${quoteLiteral(text)} AS ${quoteIdentifier(text)}`;
      expect(await connection.rows<Record<string, string>>(sql)).toEqual([{ [text]: text }]);
    }
  });
});

describe("filterToSql()", () => {
  const filters: readonly Filter[] = [
    { column: "a", operator: "eq", values: ["x", "it's"] },
    { column: "b", operator: "ge", values: [5n] },
    { column: "c", operator: "is_not_null", values: [] },
  ];

  test("filterToSql() and toSelectSql() generate each dialect", () => {
    expect(DIALECTS.map((dialect) => filterToSql(filters, dialect))).toEqual([
      `"a" IN ('x', 'it''s') AND ("b" >= 5) AND "c" IS NOT NULL`,
      "`a` IN ('x', 'it\\'s') AND (`b` >= 5) AND `c` IS NOT NULL",
      `"a" IN ('x', 'it''s') AND ("b" >= 5) AND "c" IS NOT NULL`,
    ]);
    expect(filterToSql(filters)).toBe(filterToSql(filters, "ansi"));
    const request = { columns: ["a"], filter: [filters[1]!], limit: 3 };
    expect(toSelectSql(["my-project", "crm", "t"], request, "bigquery")).toBe(
      "SELECT `a` FROM `my-project`.`crm`.`t` WHERE (`b` >= 5) LIMIT 3",
    );
  });

  test("filterToSql() compares decimals as numbers, and quotes all other texts", () => {
    const decimals = (values: readonly string[]): Filter => ({
      column: "p",
      operator: "eq",
      values,
      isDecimal: true,
    });
    expect(
      DIALECTS.map((dialect) => filterToSql([decimals(["-5.25", "12345678901234567890"])], dialect)),
    ).toEqual([
      '"p" IN (-5.25, 12345678901234567890)',
      "`p` IN (BIGNUMERIC '-5.25', BIGNUMERIC '12345678901234567890')",
      '"p" IN (-5.25, 12345678901234567890)',
    ]);
    expect(filterToSql([decimals(["1 OR true", "1e5", ""])])).toBe(`"p" IN ('1 OR true', '1e5', '')`);
  });

  test("filterToSql() compares an expression in place of a column", () => {
    const binary = (column: string) => `${quoteIdentifier(column)} COLLATE "binary"`;
    expect(filterToSql(filters, "ansi", binary)).toBe(
      `"a" COLLATE "binary" IN ('x', 'it''s') AND ("b" COLLATE "binary" >= 5) AND "c" COLLATE "binary" IS NOT NULL`,
    );
  });

  test("filterToSql() rejects a value or a name that the dialect cannot represent", () => {
    const nan: Filter = { column: "a", operator: "lt", values: [Number.NaN] };
    expect(codeOf(() => filterToSql([nan]))).toBe("literal_unsupported");
    expect(codeOf(() => filterToSql([{ ...nan, column: "a`", values: [1] }], "bigquery"))).toBe(
      "invalid_identifier",
    );
  });
});

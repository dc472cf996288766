/** A column of one DuckDB type: how its values are written in SQL, and what every reader must make of them. */
export interface TypeCase {
  readonly type: string;
  readonly values: readonly TypedValue[];
}

/**
 * A value: its SQL, what readers of binary formats give (see `readers.py`), and what stands in JSON and in CSV where
 * that is something else.
 */
export interface TypedValue {
  readonly sql: string;
  readonly raw: unknown;
  /** In Arrow, where that is something else than in Parquet. */
  readonly arrow?: unknown;
  readonly json?: unknown;
  readonly csv?: string;
}

const value = (sql: string, raw: unknown, json: unknown = raw, csv?: string): TypedValue => ({
  sql,
  raw,
  json,
  ...(csv === undefined ? {} : { csv }),
});

/** Values of which SQL, binary formats and texts all show the same. */
const same = (type: string, ...texts: readonly string[]): TypeCase => ({
  type,
  values: texts.map((text) => value(`'${text.replaceAll("'", "''")}'`, text)),
});

const of = (type: string, ...values: readonly TypedValue[]): TypeCase => ({ type, values });
const hex = (text: string) => Buffer.from(text, "hex").toString("base64");

const NINES = "99999999999999999999999999999999999999";
const POINT = "0101000000000000000000f03f0000000000000040";

/** Every type that DuckDB has, at its extremes. */
export const TYPE_CASES: readonly TypeCase[] = [
  same("BOOLEAN", "true", "false"),
  same("TINYINT", "-128", "0", "127"),
  same("SMALLINT", "-32768", "32767"),
  same("INTEGER", "-2147483648", "0", "2147483647"),
  same("BIGINT", "-9223372036854775808", "0", "9223372036854775807"),
  same("HUGEINT", `-${NINES}`, "0", NINES),
  same("UTINYINT", "0", "255"),
  same("USMALLINT", "0", "65535"),
  same("UINTEGER", "0", "4294967295"),
  same("UBIGINT", "0", "18446744073709551615"),
  same("UHUGEINT", "0", "340282366920938463463374607431768211455"),
  same("BIGNUM", "-123456789012345678901234567890123456789012345", "0"),
  same("DECIMAL(4,1)", "-999.9", "0.0", "999.9"),
  same("DECIMAL(9,4)", "-99999.9999", "99999.9999"),
  same("DECIMAL(18,6)", "-999999999999.999999", "0.000001"),
  same("DECIMAL(38,10)", `-${NINES.slice(10)}.9999999999`, "0.0000000001", `${NINES.slice(10)}.9999999999`),
  of(
    "FLOAT",
    value("'nan'", "nan", "NaN"),
    value("'inf'", "inf", "Infinity"),
    value("'-inf'", "-inf", "-Infinity"),
    value("'-0.0'", "-0.0", "-0"),
    value("'0.0'", "0.0", "0"),
    value("'3.4028234663852886e38'", "3.4028234663852886e+38", "3.4028235e+38"),
    value("'1.401298464324817e-45'", "1.401298464324817e-45", "1.4013e-45"),
  ),
  of(
    "DOUBLE",
    value("'nan'", "nan", "NaN"),
    value("'inf'", "inf", "Infinity"),
    value("'-inf'", "-inf", "-Infinity"),
    value("'-0.0'", "-0.0", "-0"),
    value("'0.0'", "0.0", "0"),
    value("'1.7976931348623157e308'", "1.7976931348623157e+308"),
    value("'5e-324'", "5e-324"),
  ),
  of(
    "DATE",
    value("'5877642-06-25 (BC)'", "-2147483646", "-5877641-06-25"),
    value("'0001-01-01'", "-719162", "0001-01-01"),
    value("'12026-02-03'", "3672912", "+012026-02-03"),
    value("'5881580-07-10'", "2147483646", "+5881580-07-10"),
    value("'infinity'", "2147483647", "infinity"),
    value("'-infinity'", "-2147483647", "-infinity"),
  ),
  of(
    "TIME",
    value("'00:00:00'", "0", "00:00:00"),
    value("'23:59:59.999999'", "86399999999000", "23:59:59.999999"),
  ),
  of("TIME_NS", {
    ...value("'23:59:59.999999999'", "23:59:59.999999999"),
    arrow: "86399999999999",
  }),
  ...(["TIMESTAMP", "TIMESTAMPTZ"] as const).map((type) => {
    const [zone, end] = type === "TIMESTAMP" ? ["", ""] : ["+00", "Z"];
    return of(
      type,
      value(`'290309-12-22 (BC) 00:00:00${zone}'`, "-9223372022400000000", `-290308-12-22T00:00:00${end}`),
      value(`'12026-02-03 04:05:06.789${zone}'`, "317339611506789000", `+012026-02-03T04:05:06.789${end}`),
      value(
        `'294247-01-10 04:00:54.775806${zone}'`,
        "9223372036854775806",
        `+294247-01-10T04:00:54.775806${end}`,
      ),
      value(`'1969-12-31 23:59:59.999999${zone}'`, "-1", `1969-12-31T23:59:59.999999${end}`),
      value("'infinity'", "9223372036854775807", "infinity"),
      value("'-infinity'", "-9223372036854775807", "-infinity"),
    );
  }),
  of(
    "TIMESTAMP_NS",
    value("'1677-09-22 00:00:00'", "-9223286400000000000", "1677-09-22T00:00:00"),
    value("'2262-04-11 23:47:16.854775806'", "9223372036854775806", "2262-04-11T23:47:16.854775806"),
    value("'1969-12-31 23:59:59.999999999'", "-1", "1969-12-31T23:59:59.999999999"),
  ),
  same("INTERVAL", "83 years 3 months 999 days 00:16:39.999999", "-1 month", "00:00:00.000001"),
  same("TIMETZ", "00:00:00+15:59:59", "23:59:59.999999-12:30"),
  same("UUID", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
  of(
    "BLOB",
    value("''::BLOB", "", ""),
    value("'\\x00\\xFF'::BLOB", "00ff", hex("00ff")),
    value("'abc'::BLOB", "616263", hex("616263")),
  ),
  same("BIT", "0", "0101010101010101010101"),
  of(
    "VARCHAR",
    value("''", ""),
    value("'say \"hi\", ''you''' || chr(13) || chr(10) || 'there'", "say \"hi\", 'you'\r\nthere"),
    value("'a' || chr(0) || 'b'", "a\0b"),
    value("'é😀' || chr(1114111) || chr(65279) || chr(8238)", "é😀\u{10ffff}\ufeff\u202e"),
    value("'NULL'", "NULL"),
    value("' 007 '", " 007 "),
  ),
  same("ENUM('a', 'it''s', 'é')", "a", "it's", "é"),
  of("JSON", value(`'{"a": [1, 2.50, null]}'`, '{"a": [1, 2.50, null]}')),
  of("GEOMETRY", value("'POINT(1 2)'", POINT, hex(POINT))),
  of(
    "VARIANT",
    value("{'a': 1.50::DECIMAL(9,2), 'b': [1, 2]}::VARIANT", '{"a":1.50,"b":[1,2]}'),
    value("'x'::VARIANT", '"x"'),
  ),
  of(
    "UNION(a INTEGER, b VARCHAR)",
    value("union_value(a := 5)", '{"a":5}'),
    value("union_value(b := '5')", '{"b":"5"}'),
  ),
  of(
    "HUGEINT[]",
    value(`[${NINES}, NULL, -1]`, [NINES, null, "-1"]),
    value("[]", []),
    value("[NULL]", [null]),
  ),
  of("DOUBLE[]", value("['-0.0'::DOUBLE, 0.0]", ["-0.0", "0.0"], ["-0", "0"])),
  of("INTEGER[2]", value("[1, NULL]", ["1", null]), value("[3, 4]", ["3", "4"])),
  of(
    'STRUCT(a INTEGER, "b c" VARCHAR[])',
    value("{'a': 1, 'b c': ['x', NULL]}", ["1", ["x", null]], { a: "1", "b c": ["x", null] }),
    value("{'a': NULL, 'b c': NULL}", [null, null], { a: null, "b c": null }),
  ),
  of(
    "MAP(VARCHAR, INTERVAL)",
    value(
      "MAP {'k': NULL, 'l': INTERVAL '1 day'}",
      [
        ["k", null],
        ["l", "1 day"],
      ],
      [
        { key: "k", value: null },
        { key: "l", value: "1 day" },
      ],
    ),
    value("MAP {}", []),
  ),
  of(
    "STRUCT(t TIMESTAMP, d DATE)[]",
    value(
      "[{'t': TIMESTAMP '12026-02-03 04:05:06.789', 'd': DATE '0044-03-15 (BC)'}]",
      [["317339611506789000", "-735160"]],
      [{ t: "+012026-02-03T04:05:06.789", d: "-000043-03-15" }],
    ),
  ),
];

/** The SELECT of all cases, a row per value and one of nulls, and what its columns hold. */
export function allTypes(): {
  readonly sql: string;
  readonly names: readonly string[];
  readonly rows: number;
} {
  const rows = Math.max(...TYPE_CASES.map(({ values }) => values.length)) + 1;
  const names = TYPE_CASES.map(({ type }, at) => `c${at}_${/^\w+/.exec(type)![0].toLowerCase()}`);
  const columns = TYPE_CASES.map(({ type, values }, at) => {
    // A CASE does not take every type.
    return `[${values.map(({ sql }) => `CAST(${sql} AS ${type})`).join(", ")}][r + 1] AS ${names[at]}`;
  });
  return { sql: `SELECT r, ${columns.join(",\n")} FROM range(${rows}) t(r) ORDER BY r`, names, rows };
}

import { afterAll, describe, expect, test } from "bun:test";

import { openDatabase, quoteLiteral } from "../../lib/duckdb/mod.ts";
import { castText, checkText, PLAIN_NUMBERS, tryCastText } from "../../lib/duckdb/files/text-types.ts";
import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";

const database = await openDatabase({ limits: { memoryMb: 256, threads: 2 } });
const connection = await database.connect();
await connection.run("SET TimeZone = 'UTC'");

afterAll(async () => {
  await connection.close();
  await database[Symbol.asyncDispose]();
});

const OFFSET = "[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?";
const CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6}0*)?)?";
const STAMP = `[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]${CLOCK}`;
const NORMAL_MIN = "2.2250738585072014e-308";

/** The exact conversion of each type without short ways: its cast, and the form that the text must have. */
interface Slow {
  readonly type: string;
  readonly cast: string;
  readonly check: string;
  readonly kind: "number" | "time";
}

const matches = (text: string, form: string) => `regexp_full_match(${text}, ${quoteLiteral(form)})`;

const slow: readonly Slow[] = [
  ...["BIGINT", "INTEGER", "UTINYINT"].map((type) => ({
    type,
    cast: `TRY_CAST(x AS ${type})`,
    check: matches("x", "\\s*[+-]?[0-9]+([.]0*)?\\s*"),
    kind: "number" as const,
  })),
  ...(
    [
      [9, 0],
      [18, 2],
      [12, 4],
      [38, 0],
      [38, 9],
      [38, 20],
    ] as const
  ).map(([precision, scale]) => ({
    type: `DECIMAL(${precision},${scale})`,
    cast: `TRY_CAST(x AS DECIMAL(${precision},${scale}))`,
    check: matches("x", `\\s*[+-]?[0-9]*([.][0-9]{0,${scale}}0*)?\\s*`),
    kind: "number" as const,
  })),
  ...["DOUBLE", "FLOAT"].map((type) => ({
    type,
    cast: `TRY_CAST(x AS ${type})`,
    check: `(isfinite(v) AND (abs(v) >= ${NORMAL_MIN} OR (v = 0 AND NOT regexp_matches(x, '^[^eE]*[1-9]'))))`,
    kind: "number" as const,
  })),
  {
    type: "DATE",
    cast: "TRY_CAST(x AS DATE)",
    check: "(strlen(x) = 10 AND CAST(v AS VARCHAR) = x)",
    kind: "time",
  },
  {
    type: "TIMESTAMP",
    cast: "TRY_CAST(x AS TIMESTAMP)",
    check: `(x >= '0001' AND ${matches("x", `[0-9]{4}-[0-9]{2}-[0-9]{2}|${STAMP}`)})`,
    kind: "time",
  },
  {
    type: "TIMESTAMP WITH TIME ZONE",
    cast: `TRY_CAST(regexp_replace(x, '([0-9]) (Z|${OFFSET})$', '\\1\\2') AS TIMESTAMP WITH TIME ZONE)`,
    check: `(x >= '0001' AND ${matches(`regexp_replace(x, '([0-9]) (Z|${OFFSET})$', '\\1\\2')`, `${STAMP}( ?UTC|Z|${OFFSET})`)} AND v IS NOT NULL)`,
    kind: "time",
  },
];

/** Texts near those of a type: right ones, ones with small faults, and ones of other forms. */
function textOf(kind: Slow["kind"], random: () => number): string {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)]!;
  const digits = (count: number) =>
    Array.from({ length: count }, () => pick("0123456789000".split(""))).join("");
  const two = (below: number) => String(Math.floor(random() * below)).padStart(2, "0");
  const number = () => {
    const whole = pick([
      "",
      "0",
      "-",
      "+",
      digits(1),
      digits(3),
      digits(9),
      digits(10),
      digits(18),
      digits(29),
      "1_000",
    ]);
    const fraction = pick([
      "",
      "",
      ".",
      `.${digits(1)}`,
      `.${digits(2)}`,
      `.${digits(4)}`,
      `.${digits(9)}`,
      `.${digits(21)}`,
      ".50",
      ".000",
    ]);
    const end = pick(["", "", "", "", "e0", "e2", "E-3", "e400", "e-400", "e-310", " ", "x"]);
    return `${pick(["", "", "", "-", "+", " "])}${whole}${fraction}${end}`;
  };
  const time = () => {
    const year = pick(["2020", "0001", "0000", "9999", "10000", "20", "  20", "-2020", "1582"]);
    const day = pick([`${two(14)}-${two(33)}`, "02-28", "1-1", "01-1 ", "12-31"]);
    const clock = pick([
      `${two(25)}:${two(61)}:${two(61)}`,
      `${two(24)}:${two(60)}:${two(60)}`,
      "23:59:60",
      "24:00:00",
      " 0:00:00",
      "00:00",
      "0:0:0",
    ]);
    const fraction = pick([
      "",
      "",
      ".000",
      ".000",
      ".120",
      `.${digits(3)}`,
      `.${digits(6)}`,
      ".000000",
      ".",
      ".0000001",
      ".5.000",
    ]);
    const zone = pick([
      "",
      "",
      " Z",
      " Z",
      " Z",
      "Z",
      " +00",
      "+00:00",
      " +0200",
      "+02:30",
      " UTC",
      " BC",
      " (BC)",
      " Z Z",
      "é Z",
    ]);
    const separator = pick([" ", " ", " ", "T", "  "]);
    return `${year}-${day}${pick([`${separator}${clock}${fraction}`, `${separator}${clock}${fraction}`, ""])}${zone}`;
  };
  const other = () =>
    pick([
      "",
      " ",
      "infinity",
      "-infinity",
      "infinity               Z",
      "           infinity Z",
      "epoch",
      "nan",
      "inf",
      "-0",
      "-0.0",
      "0x10",
      "9223372036854775808",
      "1e308",
      "1.8e308",
      "-1e999",
      "true",
      "é",
      "2020-01-01",
      "2020-01-01 00:00:00",
      "2020-01-01 00:00:00.000",
      "2020-01-01 00:00:00 Z",
    ]);
  if (random() < 0.1) return other();
  const text = kind === "number" ? number() : time();
  if (random() > 0.15) return text;
  const at = Math.floor(random() * (text.length + 1));
  return `${text.slice(0, at)}${pick("0 .-:+ZTe_x'".split(""))}${text.slice(at + Math.floor(random() * 2))}`;
}

const PLAUSIBLE_MIN = 10;

describe("the conversion of configured text columns is that of the plain cast and the exact form", () => {
  for (const { type, cast, check, kind } of slow) {
    for (const seed of [1, 2]) {
      test(`${type}, seed ${seed}`, async () => {
        const random = seededRandom(seed);
        const texts = [...new Set(Array.from({ length: 4_000 }, () => textOf(kind, random)))];
        const column = { type, isConfigured: true };
        const rows = texts.map((text) => `(${quoteLiteral(text)})`).join(", ");
        const now = checkText(column, "x", "w", PLAIN_NUMBERS);
        // As in a SELECT of all rows, and as in a condition of a CASE, in which DuckDB evaluates only some rows.
        const found = await connection.rows<{ x: string; before: string | null; after: string | null }>(
          `SELECT x, CAST(CASE WHEN ${check} THEN v END AS VARCHAR) AS before, CAST(CASE WHEN ${now} THEN w END AS VARCHAR) AS after
           FROM (SELECT x, ${cast} AS v, ${tryCastText(column, "x", PLAIN_NUMBERS)} AS w FROM (VALUES ${rows}) t(x))`,
        );
        expect(found.filter(({ before, after }) => before !== after)).toEqual([]);
        const held = found.flatMap(({ x, after }) => (after === null ? [] : [`(${quoteLiteral(x)})`]));
        expect(held.length).toBeGreaterThan(PLAUSIBLE_MIN);
        const failing = castText(column, "x", PLAIN_NUMBERS);
        const [same] = await connection.rows<{ n: bigint }>(
          `SELECT count(*) AS n FROM (SELECT x, ${failing} AS w FROM (VALUES ${held.join(", ")}) t(x)) WHERE (${now})`,
        );
        expect(Number(same!.n)).toBe(held.length);
      });
    }
  }
});

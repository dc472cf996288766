import { expect, test } from "bun:test";

import { quoteLiteral } from "../../../lib/duckdb/mod.ts";
import type { DecideOptions } from "../../../lib/duckdb/files/decided-type.ts";
import { decideTextTypes } from "../../../lib/duckdb/files/text-decide.ts";
import { castText, checkText, PLAIN_NUMBERS, tryCastText } from "../../../lib/duckdb/files/text-types.ts";
import { open } from "../support.ts";

const ODD = [
  "infinity",
  "Infinity",
  "-infinity",
  "inf",
  "nan",
  "epoch",
  "now",
  "today",
  "2026-01-31 (BC)",
  "0000-01-01",
  "0001-01-01",
  "026-01-31",
  "12026-01-31",
  "-2026-01-31",
  "2026-1-31",
  "2026-01-1 ",
  "2026-01-1x",
  "2026-01-1T",
  "2026-01-31",
  "2026-01-31 ",
  "2026-01-31T",
  "2026-01-31 10:00:00",
  "2026-01-31T10:00",
  "2026-01-31 10:00:00.1234567",
  "2026-01-31 24:00:00",
  "2026-01-31 (BC) 10:00:00",
  "12026-01-31 10:00:00",
  "0000-01-31 10:00:00",
  "2026-01-31 10:00:00+02",
  "12026-01-31 10:00:00+02",
  "2026-01-31 (BC) 10:00:00+00",
  "24:00:00",
  "24:00:00.0",
  "23:59:59.999999",
  "23:59",
  "1:02:03",
  "31.01.2026",
  "31.01.12026",
  "31.01.26",
  "31.01.0044 (BC)",
  "31.01.-044",
];

const KNOWN: readonly (readonly [type: string, text: string, options?: DecideOptions])[] = [
  ["DATE", "2026-01-30"],
  ["TIMESTAMP", "2026-01-30 10:00:00"],
  ["TIMESTAMP WITH TIME ZONE", "2026-01-30 10:00:00+00"],
  ["TIME", "10:00:00"],
  ["DATE", "30.01.2026"],
  ["DATE", "30.01.2026", { dateFormat: "%d.%m.%Y" }],
  ["DATE", "30 Jan 2026", { dateFormat: "%d %b %Y" }],
];

test.each(KNOWN)("checkText() accepts the same texts for a %s such as %s as a first read", async (...row) => {
  const [type, base, options = {}] = row;
  await using session = await open();
  const { connection } = session;
  const list = `[${ODD.map(quoteLiteral).join(", ")}]`;
  const columns = new Map(ODD.map((_, at) => [String(at), `v${at}`]));
  const values = ODD.map((text, at) => `${quoteLiteral(text)} AS v${at}`);
  const bases = ODD.map((_, at) => `${quoteLiteral(base)} AS v${at}`);
  const relation = `(SELECT ${values.join(", ")} UNION ALL SELECT ${bases.join(", ")})`;
  const decided = await decideTextTypes(connection, relation, columns, options);
  const format = (
    await decideTextTypes(connection, `(SELECT ${quoteLiteral(base)} AS v)`, new Map([["v", "v"]]), options)
  ).get("v")!.format;
  const column = { type, ...(format === undefined ? {} : { format }) };
  // As a sync and a quarantine read them.
  for (const value of [
    `TRY(${castText(column, "text", PLAIN_NUMBERS)})`,
    tryCastText(column, "text", PLAIN_NUMBERS),
  ]) {
    const check = checkText(column, "text", "value", PLAIN_NUMBERS)!;
    const fits = await connection.rows<{ fits: boolean }>(
      `SELECT value IS NOT NULL AND (${check}) IS NOT FALSE AS fits
       FROM (SELECT text, ${value} AS value FROM (SELECT unnest(${list}) AS text))`,
    );
    expect(ODD.filter((_, at) => fits[at]!.fits)).toEqual(
      ODD.filter((_, at) => decided.get(String(at))!.type === type),
    );
  }
});

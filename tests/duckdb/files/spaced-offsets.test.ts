import { expect, test } from "bun:test";

import { readTable } from "./support.ts";

test("a configured TIMESTAMP WITH TIME ZONE may have a space before its offset", async () => {
  const texts = [
    "2026-01-31 02:00:00.250 -0800",
    "2026-01-31 10:00:00 +00:00",
    "2026-01-31T10:00:00 Z",
    "2026-01-31 11:00:00+01",
  ];
  const { rows } = await readTable(
    { "t.csv": `id,at\n0,\n${texts.map((text, id) => `${id + 1},${text}`).join("\n")}\n` },
    { types: { at: "TIMESTAMP WITH TIME ZONE" } },
  );
  expect(rows[0]).toEqual(["0", null]);
  expect(rows.slice(1).map(([, at]) => new Date(`${at!.replace(" ", "T")}:00`).toISOString())).toEqual([
    "2026-01-31T10:00:00.250Z",
    "2026-01-31T10:00:00.000Z",
    "2026-01-31T10:00:00.000Z",
    "2026-01-31T10:00:00.000Z",
  ]);
});

test("a configured TIMESTAMP WITH TIME ZONE takes no name of a zone and no lone time", async () => {
  for (const text of [
    "2026-01-31 10:00:00 Europe/Prague",
    "2026-01-31 10:00:00",
    "2026-01-31 10:00:00  +0100",
    "2026-02-30 10:00:00 +0100",
    "2026-01-31 10:00:00 XYZ",
  ]) {
    const reading = readTable({ "t.csv": `at\n${text}\n` }, { types: { at: "TIMESTAMP WITH TIME ZONE" } });
    const error: unknown = await reading.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "file_value_invalid" });
  }
});

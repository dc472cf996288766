import { describe, expect, test } from "bun:test";

import { profileFacts, renderColumn, renderOverview } from "../../cmd/terminal/render-profile.ts";
import { presentProfile } from "../../lib/profile/present.ts";
import type { CheckedEntry, DocumentedTable } from "../../lib/query/mod.ts";
import { figuresOf } from "../profile/figures-of.ts";

const figures = await figuresOf(
  `SELECT range::INTEGER AS id, CASE WHEN range < 8 THEN 'a' WHEN range < 12 THEN 'b' || chr(10) END AS kind,
   DATE '2020-01-01' + (range * 60)::INTEGER AS day, range % 2 = 0 AS even FROM range(16)`,
);
const schema = figures.columns.map(({ name, type }) => ({ name, type, nullable: true, description: "" }));
const table = {
  id: "shop.orders",
  name: "orders",
  primaryKey: ["id"],
  schema,
  foreignKeys: [],
  description: "",
};
const profile = presentProfile(
  { generated_at: "2026-11-27T00:00:00.000Z", generation: 1, content: "", figures },
  {
    table: table as unknown as DocumentedTable,
    entry: { sizeBytes: null, checkedAt: null } as CheckedEntry,
    record: null,
    accessible: [],
    stale: null,
  },
);
const plain = { style: (_format: string, text: string) => text, width: 60 };

describe("renderColumn()", () => {
  const drawn = (name: string, width = 60) =>
    renderColumn(
      profile.columns.find((column) => column.name === name)!,
      profile,
      { ...plain, width },
    );

  test("draws a histogram whose bars fit the width", () => {
    const text = drawn("id");
    expect(text.split("\n").filter((line) => line.includes("█ "))).toHaveLength(16);
    expect(text).toContain("min 0  mean 7.5  max 15  stddev 4.76095");
    for (const width of [40, 60, 200])
      for (const line of drawn("id", width)
        .split("\n")
        .filter((line) => line.includes("…")))
        expect(Bun.stringWidth(line)).toBeLessThanOrEqual(width);
  });

  test("draws frequent values on one line each, with their shares and alerts", () => {
    const lines = drawn("kind").split("\n");
    expect(lines[0]).toBe("kind  VARCHAR");
    expect(lines).toContain("  ███████░░░ 75 %  4 null, 2 different".replace("███████░░░", "████████░░"));
    expect(lines.find((line) => line.startsWith("  a "))).toEndWith("█ 8 (66.67 %)");
    expect(lines.find((line) => line.startsWith("  b⏎"))).toEndWith("█ 4 (33.33 %)");
    expect(lines.some((line) => line.startsWith("  missing: 25.0 % of the values are null"))).toBeTrue();
  });

  test("draws no colour without a terminal", () => {
    expect(drawn("id") + renderOverview(profile, plain)).not.toContain("\u001b");
    const styled = renderColumn(profile.columns[0]!, profile, {
      ...plain,
      style: (format, text) => `<${format}>${text}`,
    });
    expect(styled).toContain("<cyan>█");
  });
});

test("renderOverview() has completeness, range and distribution of each column", () => {
  const [head, , id, kind, day, even] = renderOverview(profile, { ...plain, width: 120 }).split("\n");
  expect(head).toStartWith("column  type");
  expect(id).toMatch(/^id +INTEGER +█{10} 100 % +16 +0 … 15 +[▁▂▃▄▅▆▇█ ]+$/);
  expect(kind).toContain("75 %");
  expect(day).toContain("2020-01-01 … 2022-06-19");
  expect(even).toContain("50 % true");
});

test("profileFacts() has the facts of the whole table", () => {
  expect(profileFacts(profile)[0]).toBe(
    "16 rows, 4 columns, 93.75 % of the values are not null, 0 duplicate rows",
  );
  expect(profileFacts({ ...profile, file_size_mb: 0 })[0]).toContain("columns, less than 1 kB, 93.75 %");
  expect(profileFacts({ ...profile, file_size_mb: 0.087 })[0]).toContain("columns, 87 kB, 93.75 %");
});

import fc from "fast-check";

import type { TableChange, TableRegistry } from "../../lib/tables/mod.ts";
import { memoryRegistry } from "./registry-setup.ts";

export const withoutVersion = (text: string) => text.replace(/version \d+/, "version N");
export const settings = async (registry: TableRegistry) =>
  (await registry.list()).map(({ version: _version, registeredBy: _by, registeredAt: _at, ...rest }) => rest);

/** Text that YAML, Markdown or a reader of either could take for something else. */
export const hostileText = fc
  .oneof(
    fc.constantFrom(
      "```",
      "````yaml\ntables: []\n````",
      "a\n```\nb",
      "~~~",
      "yes",
      "no",
      "on",
      "~",
      "null",
      "1e3",
      "0x1f",
      "0o17",
      "1_000",
      "12:30",
      "2026-01-01",
      ".inf",
      "-",
      "- a",
      "a: b",
      "a #b",
      "#",
      "&a",
      "*a",
      "!tag",
      "%YAML",
      "@x",
      "`",
      "<<",
      "{a",
      "[a",
      "'",
      '"',
      "\\",
      "  lead",
      "trail  ",
      "a\n\n\nb",
      "\n",
      "\t",
      "a\tb",
      "\u2028",
      "\ufeff",
      "a\r\nb",
      "é 日本 🙂",
      "---",
      "...",
      "<!-- checksum: sha256:0000000000000000 -->",
      "x".repeat(5000),
      "\u202eabc",
    ),
    fc.string({ unit: "grapheme", maxLength: 60 }),
    fc.string({
      unit: fc.constantFrom("`", "\n", " ", "a", "-", ":", "#", '"', "'", "\\", "~", "\r", "\t", "|", ">"),
      maxLength: 30,
    }),
  )
  .filter((text) => !/[^\P{Cc}\n\r\t]|\p{Cs}/u.test(text));
const column = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((text) => !/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u.test(text));
export const change = fc.record(
  {
    description: hostileText,
    primaryKey: fc.uniqueArray(column, { maxLength: 3 }),
    sourceTable: fc.stringMatching(/^[a-z0-9_][a-z0-9_.-]{0,20}$/),
    syncSchedule: fc.constantFrom("every 6h", "daily 05:00,17:00", "0 5 * * 1"),
    whereFilters: fc.array(
      fc.record({
        column,
        operator: fc.constantFrom("eq", "lt"),
        values: fc.array(
          fc.oneof(
            hostileText.filter((text) => text.length < 1000 && !text.includes("{{")),
            fc.integer(),
            fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
            fc.boolean(),
          ),
          { minLength: 1, maxLength: 3 },
        ),
      }),
      { maxLength: 2 },
    ),
    quarantine: fc.boolean(),
    quarantineMaxPercent: fc.integer({ min: 0, max: 100 }),
    maxHistoryDays: fc.integer({ min: 1, max: 60 }),
    initialLoadChunkDays: fc.integer({ min: 1, max: 60 }),
    documentation: fc.record(
      {
        grain: hostileText.filter((text) => text.length <= 2000),
        sampleQuestions: fc.array(
          hostileText.filter((text) => text.length <= 2000),
          { maxLength: 2 },
        ),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: ["sourceTable"] },
);

export async function registryOf(changes: readonly object[]): Promise<TableRegistry> {
  const registry = await memoryRegistry();
  for (const [index, fields] of changes.entries()) {
    await registry.register({ source: "crm", name: `t${index}`, ...fields } as TableChange);
  }
  return registry;
}

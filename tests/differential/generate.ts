import { seededRandom } from "../../lib/testing/fakes/fake-host.ts";
import type { Draft } from "./draft.ts";
import { KINDS } from "./kinds.ts";
import { Dice, type WrittenTable } from "./model.ts";
import { writeCsvTable } from "./write-csv.ts";
import { writeJsonTable } from "./write-json.ts";
import { writeParquetTable } from "./write-parquet.ts";

const NAMES = [
  "id",
  "Name",
  "first name",
  "amount (EUR)",
  "Größe",
  "日本",
  'a"b',
  "2024",
  "select",
  "col.1",
  "#",
  "%",
  "🙂",
  "a'b",
  "_x",
  "TRUE",
  "null",
  "value",
  "date",
  "note",
  "x-y",
  "Column 1",
  "état",
  "$price",
  "a/b",
  "0",
  "created_at",
  "KEY",
  "line\nbreak",
];

/** A file of the size at which a reader may have stopped looking. */
const ROWS_OF_LARGE = 20_480;

const written = new Map<number, WrittenTable>();

/** The table of a seed, the same each time; those that every test reads are written once. */
export function knownTable(seed: number): WrittenTable {
  const table = written.get(seed) ?? writtenTable(seed);
  if (seed < KNOWN) written.set(seed, table);
  return table;
}

const KNOWN = 1000;

/** The table of a seed, the same each time. */
export function writtenTable(seed: number): WrittenTable {
  const dice = new Dice(seededRandom(seed));
  const format = dice.pick(["csv", "csv", "csv", "csv", "csv", "ndjson", "json", "parquet"] as const);
  const draft = draftOf(seed, dice, format === "csv");
  switch (format) {
    case "csv":
      return writeCsvTable(draft, dice);
    case "parquet":
      return writeParquetTable(draft, dice);
    case "json":
    case "ndjson":
      return writeJsonTable(draft, dice, format);
  }
}

function draftOf(seed: number, dice: Dice, mayBeEmpty: boolean): Draft {
  const isLarge = dice.chance(0.02);
  const width = dice.whole(1, isLarge ? 3 : 6);
  const names = dice.shuffle(NAMES).slice(0, width);
  const filesCount = isLarge ? 1 : dice.pick([1, 1, 1, 2, 3]);
  const lengths = Array.from({ length: filesCount }, () =>
    isLarge ? ROWS_OF_LARGE + dice.whole(1, 3000) : dice.whole(mayBeEmpty && dice.chance(0.05) ? 0 : 1, 30),
  );
  const columns = names.map((name) => ({ name, ...columnOf(dice, lengths) }));
  return {
    seed,
    name: `t${seed}`,
    columns: columns.map(({ name, what }) => ({ name, what })),
    files: lengths.map((length, file) =>
      Array.from({ length }, (_, row) => columns.map(({ texts }) => texts[file]![row]!)),
    ),
  };
}

/** The values of one column in all files, with a rare other value among them. */
function columnOf(
  dice: Dice,
  lengths: readonly number[],
): { readonly what: string; readonly texts: readonly (readonly (string | null)[])[] } {
  const kinds = Object.keys(KINDS);
  const kind = dice.pick(kinds);
  const make = KINDS[kind]!(dice);
  const nulls = dice.pick([0, 0, 0.2, 0.9]);
  const texts = lengths.map((length) =>
    Array.from({ length }, () => (dice.chance(nulls) ? null : make() || null)),
  );
  let what = kind;
  if (lengths.length > 1 && dice.chance(0.15)) {
    const file = dice.whole(0, lengths.length - 1);
    texts[file] = texts[file]!.map(() => null);
    what += `, none in file ${file + 1}`;
  }
  if (dice.chance(0.25)) {
    const other = dice.pick(kinds);
    const file = dice.whole(0, lengths.length - 1);
    const rows = texts[file]!;
    if (rows.length > 0) {
      const row = dice.pick([0, Math.min(1, rows.length - 1), rows.length - 1, rows.length - 1]);
      rows[row] = KINDS[other]!(dice)() || null;
      what += `, one of ${other} in row ${row + 1} of file ${file + 1}`;
    }
  }
  return { what, texts };
}

import { stringify } from "csv-stringify/sync";
import iconv from "iconv-lite";

import type { Draft } from "./draft.ts";
import {
  NULL_CELL,
  type Cell,
  type Dice,
  type Malformed,
  type WrittenFile,
  type WrittenTable,
} from "./model.ts";

interface Dialect {
  readonly delimiter: string;
  readonly isQuoted: boolean;
  readonly encoding: "utf-8" | "utf-8 with BOM" | "utf-16le" | "utf-16be" | "latin-1" | "windows-1252";
}

/** Stands for one byte that is no UTF-8. */
const BROKEN = "\ue000";

/** Writes a table as CSV, with `csv-stringify` and `iconv-lite`. */
export function writeCsvTable(draft: Draft, dice: Dice): WrittenTable {
  const dialect: Dialect = {
    delimiter: dice.pick([",", ",", ";", "\t", "|"]),
    isQuoted: dice.chance(0.3),
    encoding: dice.pick([
      ...(["utf-8", "utf-8", "utf-8", "utf-8", "utf-8"] as const),
      ...(["utf-8 with BOM", "utf-16le", "utf-16be", "latin-1", "windows-1252"] as const),
    ]),
  };
  const { encoding } = dialect;
  const columns = draft.columns.map((column) => ({ ...column, name: encodable(column.name, encoding) }));
  const damage = damageOf(draft, dice, dialect);
  const folder = draft.files.length === 1 ? "" : `${draft.name}/`;
  const files: WrittenFile[] = [];
  let malformed: Malformed | null = null;
  for (const [at, rows] of draft.files.entries()) {
    const path = folder === "" ? `${draft.name}.csv` : `${folder}${at + 1}.csv`;
    const texts = rows.map((row) => row.map((text) => (text === null ? null : encodable(text, encoding))));
    const kept = keptColumns(draft, dice, at);
    const file = fileText(
      texts,
      columns.map(({ name }) => name),
      kept,
      dialect,
      dice,
      at === 0 ? damage : null,
    );
    if (at === 0 && damage !== null) malformed = { what: damage, file: path, lines: file.lines };
    files.push({
      path,
      bytes: encode(file.text, encoding),
      rows: texts.map((row) => row.map((text, column) => (kept.includes(column) ? cellOf(text) : NULL_CELL))),
    });
  }
  return {
    seed: draft.seed,
    name: draft.name,
    format: "csv",
    dialect: `${JSON.stringify(dialect.delimiter)}, ${dialect.isQuoted ? "all quoted" : "few quoted"}, ${encoding}`,
    columns,
    files,
    options: encoding === "latin-1" || encoding === "windows-1252" ? { csv: { encoding } } : null,
    malformed,
  };
}

function cellOf(text: string | null): Cell {
  return text === null ? NULL_CELL : { kind: "text", text };
}

/** The columns a file has, in its order: all in the first, perhaps fewer or in another order in the others. */
function keptColumns({ columns }: Draft, dice: Dice, file: number): readonly number[] {
  const all = columns.map((_, at) => at);
  if (file === 0 || !dice.chance(0.4)) return all;
  const missing = dice.chance(0.5) && all.length > 1 ? dice.pick(all) : -1;
  return dice.shuffle(all.filter((at) => at !== missing));
}

type Damage =
  "a row too long" | "a row too short" | "a quote that does not close" | "bytes that are no UTF-8";

function damageOf({ columns, files }: Draft, dice: Dice, { encoding }: Dialect): Damage | null {
  if (!dice.chance(0.14) || encoding !== "utf-8" || columns.length < 2 || files[0]!.length < 2) return null;
  const damages = [
    "a row too long",
    "a row too short",
    "a quote that does not close",
    "bytes that are no UTF-8",
  ] as const;
  return dice.pick(damages);
}

function fileText(
  rows: readonly (readonly (string | null)[])[],
  names: readonly string[],
  kept: readonly number[],
  { delimiter, isQuoted }: Dialect,
  dice: Dice,
  damage: Damage | null,
): { readonly text: string; readonly lines: Malformed["lines"] } {
  const breaks = dice.pick([["\n"], ["\n"], ["\r\n"], ["\n", "\r\n"]]);
  const record = (values: readonly (string | null)[]): string =>
    stringify([[...values]], {
      delimiter,
      record_delimiter: "\n",
      quoted: isQuoted,
      // One column alone without a value would be an empty line, which may as well be none.
      quoted_empty: isQuoted || kept.length === 1,
      // Every writer encloses a line break, whichever the file ends its lines with.
      quoted_match: /[\r\n]/,
    }).slice(0, -1);
  const records = [kept.map((at) => names[at]!), ...rows.map((row) => kept.map((at) => row[at]!))].map(
    record,
  );
  let lines: Malformed["lines"] = null;
  if (damage !== null) {
    // A quote after it would close what is left open.
    const at =
      damage === "a quote that does not close" && records.some((text) => text.includes('"'))
        ? rows.length
        : dice.whole(1, rows.length);
    records[at] = damaged(records[at]!, damage, { delimiter, width: kept.length });
    const first = records.slice(0, at).join("\n").split("\n").length + 1;
    const own = records[at].split("\n").length - 1;
    const last =
      damage === "a quote that does not close" ? records.join("\n").split("\n").length : first + own;
    lines = { first, last };
  }
  const ends = records.map(() => dice.pick(breaks));
  if (dice.chance(0.3) && (rows.length > 0 || kept.length > 1)) ends[ends.length - 1] = "";
  return { text: records.map((text, at) => text + ends[at]!).join(""), lines };
}

function damaged(
  record: string,
  damage: Damage,
  { delimiter, width }: { readonly delimiter: string; readonly width: number },
): string {
  switch (damage) {
    case "a row too long":
      return `${record}${delimiter}x`;
    case "a row too short":
      return Array.from({ length: width - 1 }, () => "x").join(delimiter);
    case "a quote that does not close":
      return `"x${`${delimiter}y`.repeat(width - 1)}`;
    case "bytes that are no UTF-8":
      return Array.from({ length: width }, () => `caf${BROKEN}`).join(delimiter);
  }
}

function encode(text: string, encoding: Dialect["encoding"]): Uint8Array {
  if (encoding === "utf-8") {
    const bytes = Buffer.from(text.replaceAll(BROKEN, "\0"), "utf8");
    return text.includes(BROKEN) ? bytes.map((byte) => (byte === 0 ? 0xe9 : byte)) : bytes;
  }
  const addBOM = encoding.startsWith("utf");
  return iconv.encode(text, ICONV_NAMES[encoding], { addBOM });
}

const ICONV_NAMES = {
  "utf-8 with BOM": "utf8",
  "utf-16le": "utf16le",
  "utf-16be": "utf16be",
  "latin-1": "latin1",
  "windows-1252": "win1252",
} as const;

/** What of a text an encoding can hold. */
function encodable(text: string, encoding: Dialect["encoding"]): string {
  if (encoding !== "latin-1" && encoding !== "windows-1252") return text;
  const name = ICONV_NAMES[encoding];
  return Array.from(text)
    .map((char) => (iconv.decode(iconv.encode(char, name), name) === char ? char : "e"))
    .join("");
}

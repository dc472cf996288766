import { LosslessNumber, stringify } from "lossless-json";

import type { Draft } from "./draft.ts";
import {
  NULL_CELL,
  type Cell,
  type Dice,
  type Malformed,
  type WrittenFile,
  type WrittenTable,
} from "./model.ts";

const NESTED = [
  '{"a":1,"b":"x"}',
  '{"a":null}',
  "[1,2,3]",
  "[]",
  '["x",null]',
  '[{"k":1},{"k":2.5}]',
  '{"deep":{"deeper":["y"]}}',
  '{"a":"2024-01-05"}',
  "[[1],[2,3]]",
];

/** Writes a table as an array of objects or as one object a line, with `lossless-json`. */
export function writeJsonTable(draft: Draft, dice: Dice, format: "json" | "ndjson"): WrittenTable {
  // What is bare in one row is bare in all, except that some columns mix.
  const styles = draft.columns.map(() => dice.pick(["bare", "bare", "quoted", "mixed"] as const));
  const nested = draft.columns.map(() => dice.chance(0.08));
  const hasBom = dice.chance(0.1);
  const folder = draft.files.length === 1 ? "" : `${draft.name}/`;
  const files = draft.files.map((rows, at): WrittenFile & { readonly text: string } => {
    const cells = rows.map((row) =>
      row.map((text, column): Cell => {
        if (text !== null && nested[column]!) return { kind: "nested", text: dice.pick(NESTED) };
        const style = styles[column]!;
        return typedCell(text, style === "bare" || (style === "mixed" && dice.chance(0.5)));
      }),
    );
    // A key that no row has is no column.
    const records = cells.map((row, record) => objectOf(draft, row, { dice, hasAllKeys: at + record === 0 }));
    const text = textOf(records, format, dice);
    const bytes = Buffer.from((hasBom ? "\ufeff" : "") + text, "utf8");
    return {
      path: folder === "" ? `${draft.name}.${format}` : `${folder}${at + 1}.${format}`,
      bytes,
      rows: cells,
      text,
    };
  });
  const [first] = files;
  const isCut = dice.chance(0.06) && first!.rows.length > 1;
  if (isCut) files[0] = { ...first!, bytes: first!.bytes.slice(0, -dice.whole(3, 6)) };
  const malformed: Malformed | null = isCut
    ? { what: "cut off at its end", file: first!.path, lines: null }
    : null;
  return {
    seed: draft.seed,
    name: draft.name,
    format,
    dialect: hasBom ? "with BOM" : "plain",
    columns: draft.columns.map((column, at) => ({
      ...column,
      what: nested[at]! ? "lists and objects" : `${column.what}, ${styles[at]!}`,
    })),
    files,
    options: null,
    malformed,
  };
}

/** In another order now and then; without a value, the key may be missing. */
function objectOf(
  { columns }: Draft,
  row: readonly Cell[],
  { dice, hasAllKeys }: { readonly dice: Dice; readonly hasAllKeys: boolean },
): Record<string, unknown> {
  const entries = row.map((cell, at) => [columns[at]!.name, valueOf(cell)] as const);
  const kept = entries.filter(([, value]) => value !== null || hasAllKeys || dice.chance(0.5));
  return Object.fromEntries(dice.chance(0.2) ? dice.shuffle(kept) : kept);
}

function valueOf(cell: Cell): unknown {
  switch (cell.kind) {
    case "null":
      return null;
    case "number":
      return new LosslessNumber(cell.text);
    case "boolean":
      return cell.text === "true";
    case "nested":
      return JSON.parse(cell.text);
    case "string":
    case "text":
    case "day":
    case "moment":
      return cell.text;
  }
}

function textOf(records: readonly Record<string, unknown>[], format: "json" | "ndjson", dice: Dice): string {
  const indent = format === "json" && dice.chance(0.3) ? 2 : undefined;
  const lines = records.map((record) => stringify(record, undefined, indent)!);
  const end = dice.pick(["\n", "\n", "\r\n"]);
  if (format === "json") return `[${end}${lines.join(`,${end}`)}${end}]${dice.pick(["", "\n"])}`;
  return lines.join(end) + dice.pick(["", end]);
}

/** JSON's own: numbers as JSON writes them and no other way. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** A text as JSON has it: a number or boolean when the column is one and the text can be one, else a string. */
function typedCell(text: string | null, isBare: boolean): Cell {
  if (text === null) return NULL_CELL;
  if (isBare && JSON_NUMBER.test(text)) return { kind: "number", text };
  if (isBare && (text === "true" || text === "false")) return { kind: "boolean", text };
  return { kind: "string", text };
}

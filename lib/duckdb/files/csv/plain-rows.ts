import type { CsvDialect } from "../../../kit/mod.ts";
import {
  addForm,
  AutomatonBuilder,
  firstRefusal,
  literalForm,
  loadForms,
  plainForm,
  SPACED_ZULU,
  takesFile,
  type FileAutomaton,
  type Form,
} from "../automaton/mod.ts";
import type { TextColumn } from "../checked-values.ts";
import type { HostFile } from "../open-bytes.ts";
import type { CsvHead } from "./head.ts";
import { textColumn } from "./relation.ts";
import { castSpacedZulu, isConfiguredZoned } from "../text-types.ts";

/** How to read a CSV file with plain rows: DuckDB can convert some columns without loss. */
export interface PlainRows {
  /** The types for DuckDB's CSV reader; `VARCHAR` for columns that SQL converts. */
  readonly types: readonly string[];
  /** The columns, over a relation with these types. */
  readonly columns: readonly TextColumn[];
  /** Whether all rows of a file are plain, by default of the file of the head; check before using any row. */
  holds(signal: AbortSignal | undefined, file?: HostFile): Promise<boolean>;
}

/** Each state takes some kilobytes. */
const STATES_MAX = 8_192;
/** The maximum number of columns that may turn out not to be plain. */
const ODD_COLUMNS_MAX = 32;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Finds the columns that DuckDB can read without a comparison: those whose texts in the first rows are in a form that an
 * automaton recognizes. Comparing each value with its text costs as much as reading it; the automaton costs a tenth.
 *
 * @returns `null` if no column qualifies
 */
export async function plainRows(
  head: CsvHead,
  dialect: CsvDialect,
  columns: readonly TextColumn[],
): Promise<PlainRows | null> {
  const syntax = syntaxOf(head, dialect);
  if (syntax === null) return null;
  const ways = await waysOf(dialect, columns);
  for (let odd = 0; odd < ODD_COLUMNS_MAX; odd++) {
    const chosen = ways.map(([way = null]) => way);
    if (chosen.every((way) => way === null)) return null;
    const forms = chosen.map((way) => way?.form ?? null);
    const rows = rowsAutomaton(syntax, dialect.header, forms);
    if (rows === null) return null;
    const refused = await firstRefusal(head.file, rows);
    if (refused === null) {
      return {
        types: chosen.map((way) => way?.type ?? "VARCHAR"),
        columns: columns.map((column, at) => chosen[at]?.read ?? column),
        holds: (signal, file = head.file) => takesFile(file, rows, { signal }),
      };
    }
    const column = rows.columnOf(refused);
    if (column === null || ways[column]!.shift() === undefined) return null;
  }
  return null;
}

interface RowSyntax {
  readonly delimiter: number;
  /** `null` if values are never quoted. */
  readonly quote: number | null;
  readonly isCrLf: boolean;
}

/** The plain texts of a column, by whether they are quoted. */
interface FieldForm {
  readonly bare: Form;
  readonly quoted: Form;
}

/** A way to read a column whose texts have a form: by this type, and then with this SQL. */
interface PlainColumn {
  readonly form: FieldForm;
  readonly type: string;
  readonly read: TextColumn;
}

/** The ways to read each column, the best one first; none for a column with any text. */
async function waysOf(
  { decimalSeparator, thousandsSeparator, nullValues, quotedNulls }: CsvDialect,
  columns: readonly TextColumn[],
): Promise<PlainColumn[][]> {
  const formOf = await loadForms();
  const isPlain = decimalSeparator === "." && thousandsSeparator === "";
  const nulls = nullValues.map(literalForm);
  const fieldForm = (form: string): FieldForm => {
    const bare = formOf([form, ...nulls].join("|"));
    return { bare, quoted: quotedNulls === false ? formOf(form) : bare };
  };
  return columns.map((text, at) => {
    const { column } = text;
    const { type, format } = column;
    const form = format === undefined && isPlain ? plainForm(type) : null;
    if (form === null) return [];
    const value = { ...text, isValue: true };
    const ways = [{ form: fieldForm(form), type, read: { ...value, text: textColumn(at) } }];
    if (!isConfiguredZoned(column)) return ways;
    const spaced = { ...value, text: castSpacedZulu("CAST", textColumn(at)) };
    return [...ways, { form: fieldForm(SPACED_ZULU), type: "VARCHAR", read: spaced }];
  });
}

/** `null` for files whose syntax the automaton does not support. */
function syntaxOf({ text }: CsvHead, { delimiter, quote, escape }: CsvDialect): RowSyntax | null {
  if (delimiter.length !== 1 || delimiter.charCodeAt(0) > 0x7f || quote !== escape) return null;
  if (!text.includes("\n")) return null;
  return {
    delimiter: delimiter.charCodeAt(0),
    quote: quote === "" ? null : quote.charCodeAt(0),
    isCrLf: text.includes("\r\n"),
  };
}

interface RowsAutomaton extends FileAutomaton {
  /** The index of the column of a state; `null` for the header. */
  readonly columnOf: (state: number) => number | null;
}

/** @param forms `null` for any text */
function rowsAutomaton(
  syntax: RowSyntax,
  header: boolean,
  forms: readonly (FieldForm | null)[],
): RowsAutomaton | null {
  const builder = new AutomatonBuilder();
  const columns = new Map<number, number | null>();
  const rowStart = builder.state();
  const start = header ? builder.state() : rowStart;
  const addRow = (first: number, row: readonly (FieldForm | null)[], isHeader: boolean): void => {
    let from = first;
    for (const [at, form] of row.entries()) {
      if (builder.size > STATES_MAX) return;
      const isLast = at === row.length - 1;
      const next = isLast ? rowStart : builder.state();
      const size = builder.size;
      addField(builder, syntax, form, { from, next, isLast });
      for (let state = size; state < builder.size; state++) columns.set(state, isHeader ? null : at);
      columns.set(from, isHeader ? null : at);
      from = next;
    }
  };
  if (header)
    addRow(
      start,
      forms.map(() => null),
      true,
    );
  addRow(rowStart, forms, false);
  if (builder.size > STATES_MAX) return null;
  const automaton = builder.build();
  const endsRow = (state: number): boolean => {
    const before = syntax.isCrLf ? automaton.step(state, CARRIAGE_RETURN) : state;
    return automaton.step(before, LINE_FEED) === rowStart;
  };
  return {
    automaton,
    start,
    rowStart,
    isEnd: (state) => state === rowStart || endsRow(state),
    columnOf: (state) => columns.get(state) ?? null,
  };
}

/** Adds one value of a row and its end. @param form `null` for any text */
function addField(
  builder: AutomatonBuilder,
  { delimiter, quote, isCrLf }: RowSyntax,
  form: FieldForm | null,
  { from, next, isLast }: { readonly from: number; readonly next: number; readonly isLast: boolean },
): void {
  const lineEnd = isLast && isCrLf ? builder.state() : next;
  if (lineEnd !== next) builder.on(lineEnd, LINE_FEED, next);
  const endByte = isLast ? (isCrLf ? CARRIAGE_RETURN : LINE_FEED) : delimiter;
  const end = (state: number) => builder.on(state, endByte, lineEnd);
  const special = [0, delimiter, LINE_FEED, CARRIAGE_RETURN, ...(quote === null ? [] : [quote])];
  addText(builder, form?.bare ?? null, from, special).forEach(end);
  if (quote === null) return;
  const quoted = builder.state();
  const behind = builder.state();
  builder.on(from, quote, quoted);
  end(behind);
  for (const state of addText(builder, form?.quoted ?? null, quoted, [0, quote]))
    builder.on(state, quote, behind);
  if (form === null) builder.on(behind, quote, quoted);
}

/** @returns the states after a complete text */
function addText(
  builder: AutomatonBuilder,
  form: Form | null,
  start: number,
  except: readonly number[],
): readonly number[] {
  if (form !== null) return addForm(builder, form, start, except);
  const inside = builder.state();
  builder.onOthers(start, except, inside);
  builder.onOthers(inside, except, inside);
  return [start, inside];
}

import { AgnesError, isAgnesError, reasonOf, formatValue } from "../../base/mod.ts";
import type { FileColumn } from "../../kit/mod.ts";
import type { Connection } from "../connection.ts";
import { quoteIdentifier, quoteLiteral } from "../sql.ts";
import { columnsByName, originOf } from "./columns.ts";
import { constantValue } from "./constants.ts";
import { hostFile } from "./open-bytes.ts";
import type { OpenFile, OpenFileOptions, ReadableChunk } from "./opened-file.ts";
import { PLAIN_NUMBERS, tryCastText } from "./text-types.ts";

/** The message of the error that a query throws for a value that differs from the one in the path. */
const DIFFERENT = "agnes: a value differs from the path of its file";

interface PathValue {
  readonly column: FileColumn;
  readonly text: string | null;
  /** The SQL of the value, which is null if the text is not a value of the type. */
  readonly value: string;
}

/** The values in the path of a file for columns that the file has itself. */
function pathValues(
  { constants = {}, reading }: ReadableChunk,
  present: OpenFile["present"],
): readonly PathValue[] {
  const known = columnsByName(reading.columns);
  return present.flatMap(({ name }) => {
    const text = Object.hasOwn(constants, name) ? constants[name] : undefined;
    const column = known.get(name);
    if (text === undefined || column === undefined) return [];
    const value =
      text === null ? `CAST(NULL AS ${column.type})` : tryCastText(column, quoteLiteral(text), PLAIN_NUMBERS);
    return [{ column, text, value }];
  });
}

const isDifferent = ({ column: { name }, value }: PathValue): string =>
  `${quoteIdentifier(name)} IS DISTINCT FROM ${value}`;

/** The SELECT of the same rows that fails at the first row with a value that differs from the path of the file. */
export function selectByPath(select: string, chunk: ReadableChunk, present: OpenFile["present"]): string {
  const values = pathValues(chunk, present);
  if (values.length === 0) return select;
  const any = values.map(isDifferent).join(" OR ");
  return `SELECT * FROM (${select}) WHERE CASE WHEN ${any} THEN error(${quoteLiteral(DIFFERENT)}) ELSE true END`;
}

/** Wraps a file so that its values must equal those in its path, for columns that both have. */
export function checkedByPath(file: OpenFile, chunk: ReadableChunk, options: OpenFileOptions): OpenFile {
  const values = file.isEmpty ? [] : pathValues(chunk, file.present);
  if (values.length === 0) return file;
  const checked: OpenFile = {
    present: file.present,
    isEmpty: false,
    get select() {
      return selectByPath(file.select, chunk, file.present);
    },
    ...(file.check === undefined
      ? {}
      : {
          async check() {
            const other = await file.check!();
            return other === file ? checked : checkedByPath(other, chunk, options);
          },
        }),
    ...(file.retry === undefined ? {} : { retry: (error: unknown) => file.retry!(error) }),
    explain: async (error) =>
      (await differenceOf(error, file, chunk, values, options)) ?? (await file.explain(error)),
    async separateRejected(connection: Connection) {
      const { select, rejected } = await file.separateRejected(connection);
      return { select: selectByPath(select, chunk, file.present), rejected };
    },
    async setMisfitsToNull(connection: Connection) {
      const { select, misfits } = await file.setMisfitsToNull(connection);
      return { select: selectByPath(select, chunk, file.present), misfits };
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
  return checked;
}

/** The error that names the column and both values, if the query failed because of a difference. */
async function differenceOf(
  error: unknown,
  file: OpenFile,
  chunk: ReadableChunk,
  values: readonly PathValue[],
  { connection, signal }: OpenFileOptions,
): Promise<AgnesError | null> {
  if (!isAgnesError(error) || signal?.aborted === true) return null;
  const failure = (reason: string) =>
    new AgnesError(
      "file_unreadable",
      {
        path: originOf(hostFile(chunk, connection)),
        reason,
      },
      { cause: error },
    );
  const statement = signal === undefined ? {} : { signal };
  const tests = values.map(({ value }, at) => `${value} IS NULL AS v${at}`);
  const [misfits] = await connection.rows<Record<string, boolean>>(`SELECT ${tests.join(", ")}`, statement);
  const misfit = values.find(({ text }, at) => text !== null && misfits![`v${at}`] === true);
  const isNoValue = ({ name, type }: FileColumn, text: string | null) =>
    failure(`its path contains ${name}=${formatValue(text)}, but column ${JSON.stringify(name)} is ${type}`);
  if (misfit !== undefined) return isNoValue(misfit.column, misfit.text);
  if (!reasonOf(error).includes(DIFFERENT)) return null;
  const texts = values.map(
    ({ column: { name } }, at) => `CAST(${quoteIdentifier(name)} AS VARCHAR) AS v${at}`,
  );
  const places = values.map((value, at) => `WHEN ${isDifferent(value)} THEN ${at}`);
  const [first] = await connection.rows<
    Record<string, string | null> & { agnes_row: bigint; agnes_place: number }
  >(
    `SELECT agnes_row, CASE ${places.join(" ")} END AS agnes_place, ${texts.join(", ")}
     FROM (SELECT row_number() OVER () AS agnes_row, * FROM (${file.select}))
     WHERE ${values.map(isDifferent).join(" OR ")} LIMIT 1`,
    statement,
  );
  if (first === undefined) return null;
  const { column, text } = values[first.agnes_place]!;
  const found = first[`v${first.agnes_place}`]!;
  // A text such as `007` in the path of a file without the column; see `constantValue`.
  if (found === null && text !== null && !(await fitsExactly(connection, column, text))) {
    return isNoValue(column, text);
  }
  return failure(
    `row ${first.agnes_row} has ${valueOf(found)} in column ${JSON.stringify(column.name)}, but its path contains ${valueOf(text)}; correct the file or its folder, or set hivePartitions: false`,
  );
}

async function fitsExactly(connection: Connection, column: FileColumn, text: string): Promise<boolean> {
  const [row] = await connection.rows<{ fits: boolean }>(
    `SELECT ${constantValue(column, text)} IS NOT NULL AS fits`,
  );
  return row!.fits;
}

const valueOf = (text: string | null): string => (text === null ? "null" : formatValue(text));

import { AgnesError, isAgnesError, rowOfKept } from "../../../base/mod.ts";
import type { FileColumn } from "../../../kit/mod.ts";
import type { Connection } from "../../connection.ts";
import { misfitsSelect, type TextColumn } from "../checked-values.ts";
import { originOf } from "../columns.ts";
import type { HostFile } from "../open-bytes.ts";
import { COLUMNS_MAX } from "./inspect.ts";
import type { Misfit } from "./problem.ts";
import { rowShape } from "./row-shape.ts";
import { scanFile } from "./scan-file.ts";
import { ShapeWalk } from "./walk.ts";

/** A file whose relation has text columns; see `readAsText`. */
export interface TextRows {
  readonly relation: string;
  readonly texts: readonly TextColumn[];
}

interface FoundMisfit {
  readonly agnes_row: bigint;
  readonly agnes_column: number;
  readonly agnes_value: string;
}

/**
 * The misfits among the texts of a relation with the valid rows of a file, by row number in the file.
 *
 * @param rejected the numbers of the other rows, ascending
 */
export async function textMisfits(
  connection: Connection,
  { relation, texts }: TextRows,
  rejected: readonly number[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<number, Misfit>> {
  const statement = signal === undefined ? {} : { signal };
  const found = await connection.rows<FoundMisfit>(misfitsSelect(relation, texts), statement);
  return new Map(found.map((one) => [rowOfKept(Number(one.agnes_row), rejected), misfitOf(one, texts)]));
}

/** The error for the first misfit among the texts of a file; `null` if the query failed for another reason. */
export async function firstTextMisfit(
  cause: unknown,
  {
    connection,
    rows,
    file,
    isLines,
    signal,
  }: {
    readonly connection: Connection;
    readonly rows: TextRows;
    readonly file: HostFile;
    readonly isLines: boolean;
    readonly signal: AbortSignal | undefined;
  },
): Promise<AgnesError | null> {
  if (signal?.aborted === true || !isAgnesError(cause, "duckdb_failed")) return null;
  const statement = signal === undefined ? {} : { signal };
  const sql = `${misfitsSelect(rows.relation, rows.texts)} LIMIT 1`;
  const [first] = await connection.rows<FoundMisfit>(sql, statement);
  if (first === undefined) return null;
  const columns = rows.texts.map(({ column }) => column);
  const column = columns[first.agnes_column]!;
  const line = await lineOfText(file, isLines, columns, { column, row: Number(first.agnes_row) }, signal);
  const details = { file: originOf(file), line, ...misfitOf(first, rows.texts) };
  return new AgnesError("file_value_invalid", details, { cause });
}

function misfitOf(found: FoundMisfit, texts: readonly TextColumn[]): Misfit {
  const { name, type } = texts[found.agnes_column]!.column;
  return { column: name, value: found.agnes_value, type };
}

/** The line of a text; for a list or struct, the line on which its row ends. */
async function lineOfText(
  file: HostFile,
  isLines: boolean,
  columns: readonly FileColumn[],
  { column, row }: { readonly column: FileColumn; readonly row: number },
  signal: AbortSignal | undefined,
): Promise<number> {
  let line = 0;
  let rowEnd = 0;
  const root = rowShape(columns);
  const wanted = root.fields!.get(column.key ?? column.name)!.shape;
  const walk: ShapeWalk = new ShapeWalk(root, {
    columnsMax: COLUMNS_MAX,
    rowsMax: row,
    onString: (shape) => {
      if (shape === wanted) line = walk.scanner!.line;
    },
    onRow: () => (rowEnd = walk.scanner!.line),
  });
  await scanFile(file, isLines, walk, { signal });
  return line === 0 ? rowEnd : line;
}

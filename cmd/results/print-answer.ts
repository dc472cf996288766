import { DataType, type Field } from "apache-arrow";

import { throwIfAborted } from "../../lib/base/mod.ts";
import { batchTexts, encodeResult, writeResult } from "../../lib/duckdb/mod.ts";
import type { PushedDown, QueryAnswer } from "../../lib/query/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { durationText, plural } from "../terminal/figures.ts";
import { splitCompression, writeOutput, writePieces } from "./output-file.ts";
import type { Cell } from "../terminal/print-table.ts";
import { printRows } from "../terminal/print-rows.ts";

/** The ways an answer can be written. */
export const answerFormats = ["table", "json", "ndjson", "csv", "arrow", "parquet"] as const;
export type AnswerFormat = (typeof answerFormats)[number];

/** Prints an answer on stdout or writes it into a file, and reports on stderr what was left out. */
export async function printAnswer(
  cli: Cli,
  answer: QueryAnswer,
  options: { readonly format: AnswerFormat; readonly output?: string },
): Promise<void> {
  const { format, output } = options;
  if (format === "table") await printTable(cli, answer);
  else if (output === undefined)
    await writeResult(answer, { format, write: (bytes) => cli.print(bytes), signal: cli.signal });
  else {
    const { compression } = splitCompression(output);
    const options = { format, signal: cli.signal };
    await writeOutput(output, (path, isFile) =>
      // DuckDB itself writes Parquet into a file; anything else takes bytes as they come.
      isFile && compression === "none"
        ? writeResult(answer, { ...options, path })
        : writePieces(path, untilStopped(cli, encodeResult(answer, format, options)), compression),
    );
  }
  reportReceipt(cli, answer, output);
}

async function* untilStopped(cli: Cli, pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const piece of pieces) {
    throwIfAborted(cli.signal, "writing the answer");
    yield piece;
  }
}

async function printTable(cli: Cli, answer: QueryAnswer): Promise<void> {
  const rows: (readonly Cell[])[] = [];
  for await (const batch of answer.batches) rows.push(...batchTexts(batch));
  const columns = answer.schema.fields.map((field, index) => ({
    name: answer.names[index] ?? field.name,
    align: isNumeric(field) ? ("right" as const) : ("left" as const),
  }));
  await printRows(cli, columns, rows);
}

/** Whether a column is read from the right. */
function isNumeric({ type }: Field): boolean {
  return DataType.isInt(type) || DataType.isFloat(type) || DataType.isDecimal(type);
}

function reportReceipt(cli: Cli, answer: QueryAnswer, output: string | undefined): void {
  const { rows, truncated, elapsedMs, extracts, remotes } = answer.receipt();
  for (const { source, staleReason } of extracts) {
    if (staleReason !== null) cli.warn(`${source} is shown as it was before: ${staleReason}`);
  }
  for (const { id, pushedDown } of remotes) {
    if (pushedDown !== undefined) cli.info(`${id} was read live: ${liveText(pushedDown)}`);
  }
  if (truncated) cli.warn(`these are only the first ${plural(rows, "row")}; --limit asks for more`);
  cli.info(
    `${plural(rows, "row")}, ${durationText(elapsedMs)}${output === undefined ? "" : `, in ${output}`}`,
  );
}

/** What a connector was asked for, in few words. */
function liveText({ columns, conditions, keys, limit, rows }: PushedDown): string {
  return [
    plural(rows, "row"),
    plural(columns.length, "column"),
    ...conditions,
    ...keys.map(({ column, values }) => `${plural(values, "key")} of ${column}`),
    ...(limit === null ? [] : [`limit ${limit}`]),
  ].join(", ");
}

import { DataType, type Field } from "apache-arrow";

import { createHost, throwIfAborted, writeOutput, snakeCase } from "../../lib/base/mod.ts";
import { batchTexts, encodeResult, resultFormats } from "../../lib/duckdb/mod.ts";
import type { PushedDown, QueryResult, Receipt, RegisteredReceipt } from "../../lib/query/mod.ts";
import { writeResult } from "../../lib/write-result.ts";
import type { Cli } from "../cli/cli.ts";
import { durationText, plural, sizeText } from "../terminal/figures.ts";
import { jobsText, priceText } from "../terminal/jobs-text.ts";
import { splitCompression, writePieces } from "./output-file.ts";
import type { Cell } from "../terminal/print-table.ts";
import { printRows } from "../terminal/print-rows.ts";

/** The formats of a result. */
export const printFormats = ["table", ...resultFormats] as const;
export type PrintFormat = (typeof printFormats)[number];

/** Prints a result on stdout or writes it to a file, and reports on stderr if it is truncated or stale. */
export async function printResult(
  cli: Cli,
  result: QueryResult,
  options: { readonly format: PrintFormat; readonly output?: string },
): Promise<void> {
  const { format, output } = options;
  if (format === "table") await printTable(cli, result);
  else {
    const { compression } = splitCompression(output ?? "");
    const { signal } = cli;
    if (output === undefined) await writeResult(result, { format, to: (bytes) => cli.print(bytes), signal });
    else if (compression === "none") await writeResult(result, { format, to: output, signal });
    else {
      const pieces = untilStopped(cli, encodeResult(result, format, { signal }));
      await writeOutput(createHost(), output, (path, isFile) =>
        writePieces({ path, isFile }, pieces, compression),
      );
    }
  }
  reportReceipt(cli, result.receipt(), output);
}

async function* untilStopped(cli: Cli, pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const piece of pieces) {
    throwIfAborted(cli.signal, "writing the result");
    yield piece;
  }
}

async function printTable(cli: Cli, result: QueryResult): Promise<void> {
  const rows: (readonly Cell[])[] = [];
  for await (const batch of result.batches) rows.push(...batchTexts(batch));
  const columns = result.schema.fields.map((field, index) => ({
    name: result.names[index] ?? field.name,
    align: isNumeric(field) ? ("right" as const) : ("left" as const),
    isText: !isNumeric(field) && !isTemporal(field),
  }));
  await printRows(cli, columns, rows);
}

/** Whether a column is aligned to the right. */
function isNumeric({ type }: Field): boolean {
  return DataType.isInt(type) || DataType.isFloat(type) || DataType.isDecimal(type);
}

function isTemporal({ type }: Field): boolean {
  return DataType.isTimestamp(type) || DataType.isInterval(type);
}

/** Reports on stderr if a result is truncated or stale, what ran in the sources, and its totals. */
export function reportReceipt(cli: Cli, receipt: Receipt, output: string | undefined): void {
  const { rows, truncated, elapsedMs, extracts, remotes, registered } = receipt;
  for (const { source, staleReason } of extracts) {
    if (staleReason !== null) cli.warn(`${source} has the data of an earlier sync: ${staleReason}`);
  }
  if (!cli.json) reportRemotes(cli, receipt);
  else if (remotes.length + registered.length > 0) cli.info(JSON.stringify({ receipt: snakeCase(receipt) }));
  if (truncated) cli.warn(`only the first ${plural(rows, "row")} are included; use --limit for more`);
  cli.info(
    `${plural(rows, "row")}, ${durationText(elapsedMs)}${output === undefined ? "" : `, in ${output}`}`,
  );
}

/** Reports what ran in the sources. */
function reportRemotes(cli: Cli, { remotes, registered }: Receipt): void {
  for (const { id, pushedDown, shipped, jobs } of remotes) {
    if (shipped !== undefined)
      cli.info(`${id} was read by the whole query in its source: ${plural(shipped.rows, "row")}`);
    if (pushedDown !== undefined) cli.info(`${id} was read live: ${liveText(pushedDown)}`);
    if (jobs !== undefined) cli.info(`${id}: ${jobsText(jobs)}`);
  }
  for (const one of registered) {
    cli.info(registeredText(one));
    if (one.jobs !== undefined) cli.info(`${one.alias}: ${jobsText(one.jobs)}`);
  }
}

/** A summary of what ran for an alias. */
function registeredText({ alias, source, ran, keys, rows, estimate, elapsedMs }: RegisteredReceipt): string {
  const { scannedBytes, price } = estimate;
  const figures = [
    ...(keys === null ? [] : [plural(keys, "key")]),
    ...(scannedBytes === undefined ? [] : [`estimate ${sizeText(scannedBytes)} read`]),
    ...(price === undefined ? [] : [priceText(price)]),
  ];
  if (!ran) return [`${alias} did not run in ${source}`, ...figures].join(", ");
  return [`${alias} ran in ${source}: ${plural(rows, "row")}`, ...figures, durationText(elapsedMs)].join(
    ", ",
  );
}

/** A summary of the request to a connector. */
function liveText({ columns, conditions, keys, limit, rows }: PushedDown): string {
  return [
    plural(rows, "row"),
    plural(columns.length, "column"),
    ...conditions,
    ...keys.map(({ column, values }) => `${plural(values, "key")} of ${column}`),
    ...(limit === null ? [] : [`limit ${limit}`]),
  ].join(", ");
}

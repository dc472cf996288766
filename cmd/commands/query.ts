import { AgnesError, formatValue, withTimeout } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { splitCompression } from "../results/output-file.ts";
import { printFormats, printResult, type PrintFormat } from "../results/print-result.ts";
import { readSql } from "../cli/read-sql.ts";
import { wholeNumber } from "../cli/strict-args.ts";

/** The default limit of the table format, which keeps all rows in memory. */
const TABLE_ROWS = 100;

export default command({
  args: {
    sql: {
      type: "positional",
      required: false,
      valueHint: "SQL",
      description: "One SELECT over the tables of the catalog; `-`, or none, reads it from stdin",
    },
    format: {
      type: "enum",
      alias: "f",
      options: [...printFormats],
      description: "Format of the rows; default: table, json with --json, or the extension of --output",
    },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      description:
        "File to write instead of stdout, replaced after the last row; the extensions .gz and .zst compress it",
    },
    limit: {
      type: "string",
      alias: "n",
      valueHint: "ROWS",
      description: `Maximum number of rows; default: ${TABLE_ROWS} for a table, all for other formats`,
    },
    timeout: {
      type: "string",
      default: "300",
      valueHint: "SECONDS",
      description: "Timeout of the query, from loading the plugins to its last row",
    },
  },
  examples: [
    'agnes query "SELECT count(*) FROM orders"',
    'agnes query "SELECT * FROM orders" --output orders.parquet',
    'agnes query "SELECT * FROM orders" --output orders.csv.gz',
    "agnes query - --format csv < report.sql",
  ],
  async run(cli, args) {
    const { output } = args;
    const format = formatOf(cli, args.format, output);
    const maxRows =
      wholeNumber(cli.name, "--limit", args.limit) ?? (format === "table" ? TABLE_ROWS : undefined);
    const timeoutMs = wholeNumber(cli.name, "--timeout", args.timeout)! * 1000;
    const sql = await readSql(cli, args.sql);
    cli.endBy(timeoutMs, new AgnesError("timed_out", { what: "the query", timeoutMs }));
    // The timeout includes loading the plugins.
    using limit = withTimeout("the query", timeoutMs, cli.signal);
    try {
      await using agnes = await openAgnes(cli, { signal: limit.signal });
      const result = await agnes.query(sql, {
        signal: limit.signal,
        limits: { timeoutMs, ...(maxRows === undefined ? {} : { maxRows }) },
      });
      await printResult(cli, result, { format, ...(output === undefined ? {} : { output }) });
    } catch (error) {
      cli.endSoon(error);
      throw error;
    }
  },
});

function formatOf(cli: Cli, asked: PrintFormat | undefined, output: string | undefined): PrintFormat {
  const { name: plainName, compression } = splitCompression(output ?? "");
  const ending = printFormats.find((name) => plainName.toLowerCase().endsWith(`.${name}`));
  const format = asked ?? ending ?? (cli.json ? "json" : "table");
  const refuse = (reason: string, next: string) =>
    new AgnesError("usage_wrong", { command: cli.name, reason, next });
  if (format === "table" && output !== undefined) {
    throw refuse(
      asked === "table"
        ? "the format table cannot be written to a file"
        : `the extension of ${formatValue(output)} is not a known format`,
      "Set --format to json, ndjson, csv, arrow or parquet.",
    );
  }
  const isBinary = format === "parquet" || format === "arrow";
  if (isBinary && compression !== "none") {
    throw refuse(
      `${formatValue(output)} would be ${format} compressed with ${compression}, which readers of ${format} cannot open`,
      `Use a file name that ends in .${format}.`,
    );
  }
  if (isBinary && output === undefined && process.stdout.isTTY) {
    throw refuse(`${format} cannot be printed on a terminal`, "Set --output FILE.");
  }
  return format;
}

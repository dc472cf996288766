import { AgnesError, formatValue, withTimeout } from "../../lib/base/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import type { RegisterLimits } from "../../lib/query/mod.ts";
import { openAgnes } from "../workspace/open-agnes.ts";
import { registeredQueries } from "../workspace/registered-queries.ts";
import { splitCompression } from "../results/output-file.ts";
import { printFormats, printResult, type PrintFormat } from "../results/print-result.ts";
import { queryParams } from "../cli/query-params.ts";
import { readSql } from "../cli/read-sql.ts";
import { printServerQuery } from "../server/print-query.ts";
import { checkNoServer, serverArgs, serverOf } from "../server/server-args.ts";
import { wholeNumber } from "../cli/strict-args.ts";

/** The default limit of the table format, which keeps all rows in memory. */
const TABLE_ROWS = 100;

/** The options that only a workspace has. */
const workspaceOptions = [
  "register",
  "register-bq",
  "keys",
  "register-max-rows",
  "register-max-bytes",
] as const;

export default command({
  args: {
    ...serverArgs,
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
    param: {
      type: "string",
      valueHint: "NAME=VALUE",
      description:
        "Value of the parameter $NAME of the SQL, as text; repeatable; names 1, 2 … are for $1 or ?",
    },
    register: {
      type: "string",
      valueHint: "ALIAS=SOURCE:SQL",
      description: "Run a SELECT in the engine of a source, and read its rows as the table ALIAS; repeatable",
    },
    "register-bq": {
      type: "string",
      valueHint: "ALIAS=SQL",
      description: "Like --register, in the only source with the plugin bigquery; repeatable",
    },
    keys: {
      type: "string",
      valueHint: "ALIAS=SQL",
      description:
        "A SELECT over the catalog whose values, at most 10,000, are the array parameter `keys` of a registered query; repeatable",
    },
    "register-max-rows": {
      type: "string",
      valueHint: "ROWS",
      description: "Maximum number of rows of each registered query; more are an error; default: 500000",
    },
    "register-max-bytes": {
      type: "string",
      valueHint: "BYTES",
      description: "Maximum size of these rows in memory; more is an error; default: 1 GiB",
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
    "agnes query 'SELECT * FROM orders WHERE day >= $since' --param since=2026-01-01",
    'agnes query "SELECT * FROM orders JOIN traffic USING (day)" --register "traffic=bq:SELECT day, views FROM web.traffic"',
  ],
  async run(cli, args, valuesOf) {
    const { output } = args;
    const format = formatOf(cli, args.format, output);
    const maxRows =
      wholeNumber(cli.name, "--limit", args.limit) ?? (format === "table" ? TABLE_ROWS : undefined);
    const timeoutMs = wholeNumber(cli.name, "--timeout", args.timeout)! * 1000;
    const registering = {
      register: valuesOf("register"),
      registerBq: valuesOf("register-bq"),
      keys: valuesOf("keys"),
      limits: limitsOf(cli, args["register-max-rows"], args["register-max-bytes"]),
    };
    const params = queryParams(cli.name, valuesOf("param"));
    const sql = await readSql(cli, args.sql);
    cli.endBy(timeoutMs, new AgnesError("timed_out", { what: "the query", timeoutMs }));
    // The timeout includes loading the plugins.
    using limit = withTimeout("the query", timeoutMs, cli.signal);
    try {
      const server = serverOf(cli, args.server, limit.signal);
      if (server !== undefined) {
        const used = workspaceOptions.filter((option) => valuesOf(option).length > 0);
        checkNoServer(
          cli,
          server,
          used.map((option) => `--${option}`),
        );
        const query = {
          sql,
          ...(params === undefined ? {} : { params }),
          ...(maxRows === undefined ? {} : { maxRows }),
        };
        return await printServerQuery(cli, server, query, {
          format,
          ...(output === undefined ? {} : { output }),
        });
      }
      await using agnes = await openAgnes(cli, { signal: limit.signal });
      const register = registeredQueries(cli.name, registering, agnes.workspace.config.sources);
      const result = await agnes.query(sql, {
        signal: limit.signal,
        ...(params === undefined ? {} : { params }),
        ...(register === undefined ? {} : { register }),
        limits: { timeoutMs, ...(maxRows === undefined ? {} : { maxRows }) },
      });
      await printResult(cli, result, { format, ...(output === undefined ? {} : { output }) });
    } catch (error) {
      cli.endSoon(error);
      throw error;
    }
  },
});

/** The limits of registered queries. */
function limitsOf(cli: Cli, rows: string | undefined, bytes: string | undefined): RegisterLimits {
  const maxRows = wholeNumber(cli.name, "--register-max-rows", rows);
  const maxBytes = wholeNumber(cli.name, "--register-max-bytes", bytes);
  return { ...(maxRows === undefined ? {} : { maxRows }), ...(maxBytes === undefined ? {} : { maxBytes }) };
}

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

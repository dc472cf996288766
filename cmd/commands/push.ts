import { AgnesError, formatValue, snakeCase } from "../../lib/base/mod.ts";
import type { WriteMode } from "../../lib/kit/mod.ts";
import type { PushReport, PushRequest } from "../../lib/write-back/mod.ts";
import type { Cli } from "../cli/cli.ts";
import { command } from "../cli/command.ts";
import { queryParams } from "../cli/query-params.ts";
import { readSql } from "../cli/read-sql.ts";
import { wholeNumber } from "../cli/strict-args.ts";
import { pushByServer } from "../server/push.ts";
import { serverArgs, serverOf } from "../server/server-args.ts";
import { plural } from "../terminal/figures.ts";
import { openAgnes } from "../workspace/open-agnes.ts";

export default command({
  args: {
    ...serverArgs,
    table: {
      type: "positional",
      required: true,
      valueHint: "TABLE",
      description: "Id or view name of a registered table, or with --source its name in the source",
    },
    sql: {
      type: "string",
      required: true,
      valueHint: "SQL",
      description: "One SELECT of exactly the columns of the table; `-` reads it from stdin",
    },
    mode: {
      type: "enum",
      required: true,
      options: ["append", "upsert", "replace"],
      description:
        "append adds the rows; upsert inserts or updates by the primary key; replace empties the table first",
    },
    param: {
      type: "string",
      valueHint: "NAME=VALUE",
      description: "Value of the parameter $NAME of the SQL, as for `agnes query`; repeatable",
    },
    source: {
      type: "string",
      valueHint: "SOURCE",
      description: "The source of a table that is not registered",
    },
    "dry-run": { type: "boolean", description: "Run the query and all checks, and write nothing" },
    timeout: {
      type: "string",
      valueHint: "SECONDS",
      description:
        "Timeout of the query and the upload of its rows; default: 6 hours, with a server its limit",
    },
  },
  examples: [
    'agnes push scores --sql "SELECT id, score FROM predictions" --mode upsert --dry-run',
    "agnes push out.c-main.scores --source kbc --sql - --mode replace < scores.sql",
    'agnes push scores --sql "SELECT id, score FROM predictions" --mode append --server https://agnes.example.com',
  ],
  async run(cli, args, valuesOf) {
    const mode = modeOf(cli.name, args.mode);
    const timeoutSeconds = wholeNumber(cli.name, "--timeout", args.timeout);
    const params = queryParams(cli.name, valuesOf("param"));
    const server = serverOf(cli, args.server);
    const request: PushRequest = {
      table: args.table,
      sql: await readSql(cli, args.sql),
      mode,
      dryRun: args["dry-run"] === true,
      signal: cli.signal,
      ...(params === undefined ? {} : { params }),
      ...(args.source === undefined ? {} : { source: args.source }),
      ...(timeoutSeconds === undefined ? {} : { timeoutMs: timeoutSeconds * 1000 }),
    };
    try {
      const report = await (server === undefined ? pushHere(cli, request) : pushByServer(server, request));
      if (cli.json) await cli.printJson(snakeCase(report));
      else cli.info(textOf(report));
    } catch (error) {
      // DuckDB cannot be interrupted inside one function call.
      cli.endSoon(error);
      throw error;
    }
  },
});

async function pushHere(cli: Cli, request: PushRequest): Promise<PushReport> {
  await using agnes = await openAgnes(cli);
  return await agnes.push(request);
}

/** @throws `usage_wrong`, also without a mode: none of them is harmless enough to be the default */
function modeOf(command: string, mode: WriteMode | undefined): WriteMode {
  if (mode !== undefined) return mode;
  const reason = "the mode is missing";
  throw new AgnesError("usage_wrong", { command, reason, next: "Set --mode to append, upsert or replace." });
}

const DONE: Readonly<Record<PushReport["mode"], readonly [would: string, did: string]>> = {
  append: ["would append", "appended"],
  upsert: ["would insert or update", "inserted or updated"],
  replace: ["would delete all rows and write", "deleted all rows and wrote"],
};

function textOf({ source, table, mode, rows, columns, dryRun }: PushReport): string {
  const [would, did] = DONE[mode];
  const done = `${dryRun ? would : did} ${plural(rows, "row")}`;
  return `${source}, table ${formatValue(table)}: ${done} (${columns.join(", ")})`;
}

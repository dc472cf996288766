import { definePlugin } from "agnes/kit";

import { attachInfoOf, extensions } from "./attach.ts";
import { errors } from "./errors.ts";
import { bigqueryOptions, bigquerySecrets } from "./options.ts";
import { estimateQuery, runQuery, selectSql } from "./query.ts";
import { readTable } from "./read.ts";
import { settingsOf } from "./settings.ts";
import { Source } from "./source.ts";
import { statementSql } from "./statement.ts";

/** Tables of BigQuery. */
export default definePlugin({
  name: "bigquery",
  version: "1.0.0",
  description: "Tables and views of BigQuery, by query jobs with a limit of bytes",
  capabilities: ["discover", "read", "remote", "query", "metadata"],
  register: "listed",
  options: bigqueryOptions,
  secrets: bigquerySecrets,
  errors,
  extensions,
  namespace: (options) => settingsOf(options).project,
  connect(context) {
    const source = new Source(context);
    return {
      discover: ({ signal }) => source.discover(signal),
      read: (info, options) => readTable(source, info, options),
      query: (sql, options) => runQuery(source, sql, options),
      estimate: (sql, options) => estimateQuery(source, sql, options),
      selectSql: (info, request) => selectSql(source, info, request),
      statementSql: (statement, { signal }) => statementSql(source, statement, signal),
      remote: () =>
        attachInfoOf(context.source, source.settings, context.secrets.BIGQUERY_SERVICE_ACCOUNT_JSON),
      metadata: (tables, { signal }) => source.metadata(tables, signal),
      health: ({ signal }) => source.health(signal),
      close: () => source.storage.close(),
    };
  },
});

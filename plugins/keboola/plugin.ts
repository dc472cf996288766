import { definePlugin } from "agnes/kit";

import { errors } from "./errors.ts";
import { healthOf } from "./health.ts";
import { keboolaOptions, keboolaSecrets } from "./options.ts";
import { readTable } from "./read/read.ts";
import { extensions } from "./tables/remote.ts";
import { keboolaQuery } from "./read/source-query.ts";
import { Source } from "./source.ts";
import { checkRows, writeTable } from "./write/write.ts";
import { writeMetadata } from "./write/write-metadata.ts";
import { findWriteTarget } from "./write/write-target.ts";

/** Tables of a Keboola project. */
export default definePlugin({
  name: "keboola",
  version: "1.0.0",
  description: "Tables of a Keboola project, by the Storage API",
  capabilities: ["discover", "read", "remote", "metadata", "write"],
  register: "listed",
  options: keboolaOptions,
  secrets: keboolaSecrets,
  sourceQuery: keboolaQuery,
  errors,
  extensions,
  connect(context) {
    const source = new Source(context);
    return {
      discover: ({ signal }) => source.discover(signal),
      redescribe: (info, { signal }) => source.redescribe(info, signal),
      read: (info, options) => readTable(source, info, options),
      remote: () => ({
        alias: context.source,
        extension: "keboola",
        url: source.settings.url,
        tokenEnv: source.api.tokenVariable,
      }),
      metadata: (tables, { signal }) => source.metadata(tables, signal),
      write: (info, batches, options) => writeTable(source, info, batches, options),
      checkWrite: (info, batches, options) => checkRows(source, info, batches, options),
      writeMetadata: (name, columns, options) => writeMetadata(source, name, columns, options),
      async writeTarget(name, options) {
        return (await findWriteTarget(source, name, options))?.info ?? null;
      },
      async health({ signal }) {
        const token = await source.token.verify(signal);
        const branchName = await source.tables.branch.name(signal);
        return healthOf(token, { ...source.settings, branchName }, context.now());
      },
    };
  },
});

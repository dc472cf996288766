import { definePlugin } from "agnes/kit";

import { counted } from "./counted.ts";
import { errors } from "./errors.ts";
import { filesOptions } from "./options.ts";
import { FilesSource } from "./source.ts";

/** CSV, TSV, NDJSON, JSON and Parquet files as tables. */
export default definePlugin({
  name: "files",
  version: "1.0.0",
  description: "CSV, TSV, NDJSON, JSON and Parquet files: each file or sub-folder is a table",
  capabilities: ["discover", "read"],
  register: "all",
  options: filesOptions,
  secrets: {},
  errors,
  connect(context) {
    const source = new FilesSource(context);
    return {
      discover: ({ signal }) => source.discover(signal),
      redescribe: (info, options) => source.redescribe(info, options),
      read: (info, options) => source.read(info, options),
      async health({ signal }) {
        const tables = await source.tables(signal);
        const files = [...tables.values()].reduce((sum, one) => sum + one.files.length, 0);
        const { path } = context.options;
        const location = path === undefined ? "" : ` at ${context.resolvePath(path)}`;
        const bad = [...tables.values()].filter((one) => one.problem !== undefined).length;
        const rest = bad === 0 ? "" : `; ${bad} of them cannot be read`;
        return {
          ok: true,
          message: `${counted(tables.size, "table")} in ${counted(files, "file")}${location}${rest}`,
        };
      },
    };
  },
});

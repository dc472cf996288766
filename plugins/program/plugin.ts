import { definePlugin } from "agnes/kit";

import { errors } from "./errors.ts";
import { programOptions } from "./options.ts";
import { ProgramSource } from "./source.ts";

/** The plugin `program`: the tables that a program of any language writes. */
export default definePlugin({
  name: "program",
  version: "1.0.0",
  description: "Tables that a program of any language writes",
  capabilities: ["discover", "read"],
  register: "all",
  options: programOptions,
  secrets: {},
  takesAnySecret: true,
  // The program runs before its tables are known.
  discoverTimeoutMs: 24 * 3_600_000,
  errors,
  connect(context) {
    const source = new ProgramSource(context);
    return {
      discover: ({ signal }) => source.discover(signal),
      read: (table, options) => source.read(table, options),
      health: () => source.health(),
      close: () => source.close(),
    };
  },
});

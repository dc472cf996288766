import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

/** A source of one table whose read ends when the test opens the gate, or never. */
export function endlessPlugin(opened: () => boolean = () => false) {
  return definePlugin({
    name: "endless",
    version: "1.0.0",
    description: "Ends on request",
    capabilities: ["discover", "read"],
    options: v.strictObject({}),
    secrets: {},
    register: "all",
    connect: () => ({
      discover: async () => [table("numbers", { n: int64() })],
      async *read(_table, { signal }) {
        for (let n = 0; !signal.aborted && !opened(); n++) {
          yield Array.from({ length: 1000 }, () => ({ n }));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
    }),
  });
}

// A program of someone who installed the package: run by Node, checked by tsc.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AgnesError, createAgnes } from "agnes";
import { definePlugin, int64, table, utf8 } from "agnes/kit";
import files from "agnes/plugins/files";
import * as v from "valibot";

const numbers = definePlugin({
  name: "numbers",
  version: "1.0.0",
  description: "The first whole numbers",
  capabilities: ["discover", "read"],
  options: v.strictObject({ count: v.optional(v.number(), 10) }),
  secrets: {},
  register: "all",
  connect: ({ options }) => ({
    discover: async () => [
      table("numbers", { n: int64({ nullable: false }), word: utf8() }, { primaryKey: ["n"] }),
    ],
    async *read(_table, { signal }) {
      signal.throwIfAborted();
      yield Array.from({ length: options.count }, (_, n) => ({ n, word: `number ${n}` }));
    },
  }),
});

const directory = mkdtempSync(join(tmpdir(), "agnes-consumer-"));
writeFileSync(join(directory, "people.csv"), "n,name\n1,Ann\n2,Bob\n");
const agnes = await createAgnes({
  plugins: [files, numbers],
  workspace: directory,
  config: {
    version: 1,
    sources: {
      local: { plugin: "files", options: { path: "people.csv" } },
      maths: { plugin: "numbers", options: { count: 1000 } },
    },
  },
});
try {
  const report = await agnes.sync();
  const rows = await agnes.rows("SELECT name, word FROM people JOIN numbers USING (n) ORDER BY n");
  const refused: unknown = await agnes.rows("DROP TABLE people").catch((error: unknown) => error);
  console.log(
    JSON.stringify({
      status: report.status,
      rows,
      refused: refused instanceof AgnesError ? refused.exitCode : String(refused),
    }),
  );
} finally {
  await agnes.close();
  rmSync(directory, { recursive: true, force: true });
}

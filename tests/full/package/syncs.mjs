// Syncs sources in processes of their own: `syncs.mjs FOLDER`.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";

import { createAgnes } from "agnes";

import blocking from "./blocking.mjs";

const [, , folder] = process.argv;
const source = (blocks) => ({ plugin: "blocking", options: { blocks } });
const agnes = await createAgnes({
  plugins: [blocking],
  workspace: mkdtempSync(join(folder, "syncs-")),
  config: { version: 1, sources: { good: source(false), bad: source(true) } },
  syncProcesses: { plugins: [join(folder, "blocking.mjs")] },
});
const { status } = await agnes.sync({ only: ["good"] });
const rows = await agnes.rows("SELECT sum(n) AS n FROM good.numbers");
await agnes.sync({
  only: ["bad"],
  onProgress: () => process.stdout.write(`${JSON.stringify({ status, rows })}\n`),
});

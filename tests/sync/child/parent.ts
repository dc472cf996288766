// Syncs a source that blocks, or another one, in a process of its own.
import { join } from "node:path";

import { createAgnes } from "../../../lib/create-agnes.ts";
import unruly from "./unruly.ts";

const [, , workspace, manner = "blocks"] = process.argv;
const agnes = await createAgnes({
  plugins: [unruly],
  workspace: workspace!,
  config: { version: 1, sources: { u: { plugin: "unruly", options: { manner } } } },
  syncProcesses: { plugins: [join(import.meta.dir, "unruly.ts")] },
});
const { status } = await agnes.sync({
  onProgress: () => void process.stdout.write("reading\n"),
});
process.stdout.write(`${status}\n`);
await agnes.close();

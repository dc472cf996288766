// Syncs a source that never ends, until it is killed.
import { createAgnes } from "../../lib/create-agnes.ts";
import { endlessPlugin } from "./endless.ts";

const agnes = await createAgnes({
  plugins: [endlessPlugin()],
  workspace: process.argv[2]!,
  config: { version: 1, sources: { e: { plugin: "endless" } } },
  actor: "child",
});
await agnes.sync({ trigger: "cli", onProgress: () => void process.stdout.write("reading\n") });

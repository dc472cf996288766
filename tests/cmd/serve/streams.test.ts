import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { createAgnes } from "../../../lib/create-agnes.ts";
import { temporaryDirectory } from "../run-cli.ts";
import { startServer } from "./start-server.ts";

const ENDLESS = `import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

export default definePlugin({
  name: "endless",
  version: "1.0.0",
  description: "Never ends",
  capabilities: ["discover", "read"],
  options: v.strictObject({}),
  secrets: {},
  register: "all",
  connect: () => ({
    discover: async () => [table("numbers", { n: int64() })],
    async *read(_table, { signal }) {
      for (let n = 0; !signal.aborted; n++) {
        yield [{ n }];
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  }),
});
`;

test("agnes serve ends its event streams at SIGTERM, and does not wait for their runs", async () => {
  using workspace = temporaryDirectory();
  writeFileSync(join(workspace.path, "agnes.yaml"), "version: 1\nsources:\n  e: { plugin: endless }\n");
  mkdirSync(join(workspace.path, "plugins"));
  writeFileSync(join(workspace.path, "plugins", "endless.ts"), ENDLESS);
  let token: string;
  {
    await using agnes = await createAgnes({ plugins: [], workspace: workspace.path });
    ({ token } = await (await agnes.tokens()).create({ name: "job", role: "admin" }));
  }
  await using server = await startServer(workspace.path);
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const begun = await fetch(`${server.url}/api/sync/trigger`, { method: "POST", headers, body: "{}" });
  const { job_id: id } = (await begun.json()) as { readonly job_id: string };
  const text = (await fetch(`${server.url}/api/runs/${id}/events`, { headers })).text();
  await Bun.sleep(200);
  const startedMs = performance.now();
  server.child.kill("SIGTERM");
  expect(await text).toEndWith("\n\n");
  // Far from the 10 seconds for which a request may hold the end.
  expect(performance.now() - startedMs).toBeLessThan(5000);
  expect(await server.child.exited).toBe(0);
  const log = await server.logged("stopping");
  expect(log.join("\n")).not.toContain("requests were stopped because they did not end in time");
}, 60_000);

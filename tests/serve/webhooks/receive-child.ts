// Receives 1,000 requests at once and prints the number of each acknowledged one, again and again until it is killed:
// `bun receive-child.ts DIRECTORY FIRST [PAUSE_MS]`.
import { setTimeout } from "node:timers/promises";

import { createAgnes } from "../../../lib/create-agnes.ts";
import { boardPlugin, delivery, signed } from "./board.ts";

const agnes = await createAgnes({
  plugins: [boardPlugin().plugin],
  workspace: process.argv[2]!,
  config: { version: 1, sources: { board: { plugin: "board" } } },
});
const start = Number(process.argv[3]);
const pauseMs = Number(process.argv[4] ?? 0);
for (let wave = 0; ; wave++) {
  await Promise.all(
    Array.from({ length: 1000 }, async (_, at) => {
      const issue = start + wave * 1000 + at;
      const response = await agnes.fetch(
        new Request("http://127.0.0.1/webhooks/board", signed(delivery(issue))),
      );
      if (response.status === 202) process.stdout.write(`${issue}\n`);
    }),
  );
  await setTimeout(pauseMs);
}

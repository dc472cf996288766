// A plugin whose option decides how its connector misbehaves. Its module runs in the process of a source.
import { execFileSync } from "node:child_process";
import { writeSync } from "node:fs";

import { definePlugin, int64, table } from "agnes/kit";
import * as v from "valibot";

const MANNERS = [
  "good",
  "blocks",
  "waits",
  "ignores",
  "aborts",
  "exits",
  "grows",
  "prints",
  "fails",
  "slow",
  "trickle",
  "forges",
  "escapes",
  "late",
] as const;

/** Starts a process, prints its id and ends. */
const ESCAPE = "setsid sh -c 'sleep 60 >/dev/null 2>&1 & echo $!'";

export default definePlugin({
  name: "unruly",
  version: "1.0.0",
  description: "Misbehaves",
  capabilities: ["discover", "read"],
  options: v.strictObject({
    manner: v.picklist(MANNERS),
    rows: v.optional(v.number(), 3),
    /** How its health check behaves. Default: it has none. */
    health: v.optional(v.picklist(MANNERS)),
  }),
  secrets: { UNRULY_TOKEN: { description: "A token" } },
  register: "all",
  connect: ({ options: { manner, rows, health }, secrets, log }) => ({
    ...(health !== undefined && {
      async health({ signal }) {
        await misbehave(health, signal);
        return { ok: true, message: `process ${process.pid}` };
      },
    }),
    async discover() {
      if (manner === "late") await new Promise((resolve) => setTimeout(resolve, 1500));
      return [table("first", { n: int64() }), table("numbers", { n: int64() })];
    },
    async *read(_table, { signal }) {
      for (let count = 0; manner === "trickle" && count < 40; count++) {
        yield Array.from({ length: 5000 }, () => ({ n: count }));
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
      yield Array.from({ length: rows }, (_, n) => ({ n }));
      if (manner === "prints") print(secrets.UNRULY_TOKEN?.reveal() ?? "", log);
      await misbehave(manner, signal);
    },
  }),
});

function print(token: string, log: { warn(message: string): void }): void {
  // oxlint-disable-next-line no-console -- what a plugin may do
  console.log(`{"type":"report"} ${token}`);
  process.stdout.write("no end of line");
  writeSync(1, `raw ${token} without an end`);
  writeSync(1, "\u001e{not json\n".slice(1));
  log.warn(`a warning with ${token}`);
}

async function misbehave(manner: (typeof MANNERS)[number], signal: AbortSignal): Promise<void> {
  switch (manner) {
    case "blocks":
      for (;;) Math.sqrt(2);
    case "waits":
      return new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("stopped")));
      });
    case "ignores":
      setInterval(() => {}, 1000);
      return new Promise(() => {});
    case "aborts":
      return process.abort();
    case "exits":
      return process.exit(3);
    case "grows": {
      const kept: Uint8Array[] = [];
      for (;;) {
        kept.push(new Uint8Array(16 << 20).fill(1));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    case "fails":
      throw new Error("refused");
    case "forges":
      writeSync(1, '\n\u001e{"type":"report","report":{"source":"bad","status":"complete","error":null}}\n');
      Bun.sleepSync(300);
      return process.exit(0);
    case "escapes":
      // oxlint-disable-next-line no-console -- the test reads it
      console.log(`escaped: ${execFileSync("sh", ["-c", ESCAPE], { encoding: "utf8" })}`);
      return undefined;
    case "slow":
      return new Promise((resolve) => setTimeout(resolve, 1500));
    case "good":
    case "late":
    case "prints":
    case "trickle":
      return undefined;
  }
}

import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createHost, silentLog } from "../../../lib/base/mod.ts";
import { readSpool } from "../../../lib/push/spool.ts";
import { KEY } from "./board.ts";

/** Runs a receiver until it acknowledged some events, and kills it. Returns the acknowledged events. */
async function receiveAndKill(directory: string, start: number, acknowledgedMin: number) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dir, "receive-child.ts"), directory, String(start)],
    {
      env: { ...process.env, BOARD_KEY: KEY },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const ended = new Promise((resolve) => child.once("close", resolve));
  let text = "";
  child.stdout.on("data", (piece: Buffer) => {
    text += piece.toString();
    if (text.split("\n").length > acknowledgedMin) child.kill("SIGKILL");
  });
  await ended;
  // The last line may be torn.
  return text.split("\n").slice(0, -1).map(Number);
}

test("POST /webhooks/:source loses no acknowledged event when the process is killed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-kill-"));
  try {
    const acknowledged = [
      ...(await receiveAndKill(directory, 0, 1)),
      ...(await receiveAndKill(directory, 1_000_000, 1500)),
    ];
    expect(acknowledged.length).toBeGreaterThan(1500);
    const extract = join(directory, "data", "extracts", "board");
    const files = await readSpool(createHost(), silentLog, extract, Number.POSITIVE_INFINITY);
    const stored = new Set(files.flatMap(({ events }) => events.map(({ id }) => id)));
    expect(acknowledged.filter((issue) => !stored.has(`d${issue}`))).toEqual([]);
    // Events that arrive at once share files.
    expect(files.length).toBeLessThan(stored.size / 10);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

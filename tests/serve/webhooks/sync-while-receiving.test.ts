import { expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createAgnes } from "../../../lib/create-agnes.ts";
import { boardPlugin, KEY } from "./board.ts";

test("sync() in one process loses no event that another process receives meanwhile, and merges each once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agnes-merge-"));
  const child = spawn(process.execPath, [join(import.meta.dir, "receive-child.ts"), directory, "0", "200"], {
    env: { ...process.env, BOARD_KEY: KEY },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  let text = "";
  child.stdout.on("data", (piece: Buffer) => void (text += piece.toString()));
  try {
    await using agnes = await createAgnes({
      plugins: [boardPlugin().plugin],
      workspace: directory,
      config: { version: 1, sources: { board: { plugin: "board" } } },
      host: { env: { BOARD_KEY: KEY } },
    });
    let merged = 0;
    let whileReceiving = 0;
    const sync = async () => {
      const { status, sources } = await agnes.sync();
      const events = sources[0]!.events!;
      expect({ status, replayed: events.replayed }).toEqual({ status: "complete", replayed: 0 });
      merged += events.merged;
      return events.merged;
    };
    for (let round = 0; round < 60 && whileReceiving < 4; round++) {
      if ((await sync()) > 0) whileReceiving += 1;
    }
    child.kill("SIGKILL");
    await ended;
    await sync();
    expect(whileReceiving).toBeGreaterThanOrEqual(4);
    // The last line may be torn.
    const acknowledged = text.split("\n").slice(0, -1).map(Number);
    const rows = await agnes.rows<{ id: number }>("SELECT id FROM comments");
    const found = new Set(rows.map(({ id }) => Number(id)));
    expect(acknowledged.filter((issue) => !found.has(issue))).toEqual([]);
    expect(found.size).toBe(rows.length);
    expect(merged).toBe(rows.length);
  } finally {
    child.kill("SIGKILL");
    await ended;
    await rm(directory, { recursive: true, force: true });
  }
});

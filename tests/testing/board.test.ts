import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { connectorContract, fakeServer } from "agnes/testing";

import { runStream, Spool } from "../../lib/push/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { incremental, openBench } from "../extract/harness.ts";
import { connect } from "../sources/example.ts";
import board from "./plugins/board.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

const BOARD_KEY = "board-5ecret+key/0123456789";

interface Comment {
  readonly id: number;
  readonly issue_id: number;
  readonly body: string;
}

function fakeBoard(comments: Comment[]) {
  const of = (issue: number) => () =>
    Response.json({ comments: comments.filter(({ issue_id }) => issue_id === issue) });
  return fakeServer({ "GET /issues/5/comments": of(5), "GET /issues/6/comments": of(6) });
}

function pushed(delivery: string, issue: number, key = BOARD_KEY) {
  const body = new TextEncoder().encode(JSON.stringify({ delivery, issue }));
  const signature = createHmac("sha256", key).update(body).digest("hex");
  return { method: "POST", url: "http://localhost/hook", headers: { "x-signature": signature }, body };
}

describe("board: contract", () => {
  const comments = [
    { id: 1, issue_id: 5, body: "first" },
    { id: 2, issue_id: 5, body: "second" },
  ];
  const push = { genuine: pushed("d1", 5), forged: [pushed("d1", 5, "another key")] };
  const config = { secrets: { BOARD_KEY }, server: fakeBoard(comments), push };
  for (const { name, run } of connectorContract(board, config)) test(name, run);
});

test("the guide contains the board connector unchanged, with at most 80 lines", async () => {
  const page = await readFile(join(import.meta.dir, "../../docs/guide/pushed-events.md"), "utf8");
  const [, shown] = /^```ts\n([\s\S]*?)^```$/m.exec(page)!;
  expect(shown).toBe(await readFile(join(import.meta.dir, "plugins/board.ts"), "utf8"));
  expect(shown!.split("\n").length).toBeLessThanOrEqual(80);
});

test("a burst of events of one issue is one request, and its comments are those of the board", async () => {
  await using bench = await openBench();
  const comments = [
    { id: 1, issue_id: 5, body: "first" },
    { id: 2, issue_id: 6, body: "other" },
  ];
  const server = fakeBoard(comments);
  const { handle } = await connect(board, {}, { host: { env: { BOARD_KEY }, fetch: server.fetch } });
  const source = { name: "s", plugin: board, connector: handle.connector };
  const tables = (await discoverTables(handle, {})).map((info) => incremental(info));
  const spool = new Spool(bench.services.host, bench.directory);
  const push = async (delivery: string, issue: number) =>
    spool.append(await handle.connector.verify!(pushed(delivery, issue)));
  const merge = () => runStream(bench.services, { directory: bench.directory, source, tables });
  const bodies = async () =>
    (await bench.rows<{ body: string }>("SELECT body FROM comments ORDER BY id")).map(({ body }) => body);

  await push("d1", 5);
  await push("d2", 6);
  await merge();
  expect(await bodies()).toEqual(["first", "other"]);
  comments.splice(0, 1, { id: 3, issue_id: 5, body: "third" });
  const before = server.requests.length;
  for (const delivery of ["d3", "d4", "d5", "d3", "d1"]) await push(delivery, 5);
  expect(await merge()).toMatchObject({ events: 1, superseded: 2, replayed: 2, published: 1 });
  expect(server.requests.length - before).toBe(1);
  expect(await bodies()).toEqual(["other", "third"]);
  await handle.close();
});

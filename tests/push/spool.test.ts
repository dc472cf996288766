import { expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Change, PushEvent } from "../../lib/kit/mod.ts";
import { runStream, Spool } from "../../lib/push/mod.ts";
import { parseSpool } from "../../lib/push/spool.ts";
import { openBench, sourceOf } from "../extract/harness.ts";

const source = sourceOf({
  verify: async () => [],
  async *stream(events: AsyncIterable<PushEvent>): AsyncIterable<Change> {
    for await (const { body } of events) yield* body as unknown as readonly Change[];
  },
} as never);

const append = (spool: Spool, id: string) => spool.append([{ id, body: [] }]);

test("Spool.append() orders files by arrival, for all writers and when the clock goes back", async () => {
  await using bench = await openBench();
  const folder = join(bench.directory, "spool");
  const waiting = async () => {
    const names = (await readdir(folder)).sort();
    const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
    return texts.flatMap((text) => parseSpool(text, () => {})!).map(({ id }) => id);
  };
  const at = (time: number) =>
    new Spool({ ...bench.services.host, now: () => new Date(time) }, bench.directory);
  const [one, other] = [at(2000), at(2000)];
  await append(one, "1");
  // An earlier version wrote this name.
  await writeFile(join(folder, "000000000002500-00000007-99-abc.ndjson"), '{"id":"2","body":2}\n');
  await append(one, "3");
  await append(other, "4");
  await append(at(1000), "5");
  await append(at(3000), "6");
  await append(one, "7");
  expect(await waiting()).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
  // Writers that take the same number keep each other's events.
  const both = [one, other, at(3000)];
  await Promise.all(both.map((spool, writer) => append(spool, `concurrent ${writer}`)));
  expect((await waiting()).slice(7).sort()).toEqual(["concurrent 0", "concurrent 1", "concurrent 2"]);
  expect((await readdir(folder)).filter((name) => !name.endsWith(".ndjson"))).toEqual([]);
});

test("runStream() keeps an earlier damaged spool file of the same name", async () => {
  await using bench = await openBench();
  for (const body of [1, 2]) {
    await append(new Spool(bench.services.host, bench.directory), `${body}`);
    await writeFile(join(bench.directory, "spool", "1.ndjson"), `not json\n{"id":"x","body":${body}}\n`);
    await runStream(bench.services, { directory: bench.directory, source, tables: [] });
  }
  const folder = join(bench.directory, "quarantine", "spool");
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), "utf8")),
  );
  expect(texts.filter((text) => text.includes('"body":1')).length).toBe(1);
  expect(texts.length).toBe(2);
});

import { expect, test } from "bun:test";

import { newEntry } from "../../lib/catalog/new-entry.ts";
import { fakeHost } from "../../lib/testing/fakes/fake-host.ts";

test("newEntry() takes the id and the time of an entry from the host", () => {
  const entries = (seed: number) => {
    const options = { catalog: "tables", host: fakeHost({ seed }) };
    return [1, 2].map((sequence) => newEntry(options, 1000, { sequence, actor: "ann", changes: [] }));
  };
  const [first, second] = entries(1);
  expect(first).toMatchObject({ sequence: 1, at: "2026-01-01T00:00:00.000Z" });
  expect(second!.id).not.toBe(first!.id);
  expect(entries(1)).toEqual([first!, second!]);
  expect(entries(2)[0]!.id).not.toBe(first!.id);
});

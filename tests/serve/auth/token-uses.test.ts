import { expect, test } from "bun:test";

import { createHost, silentLog } from "../../../lib/base/mod.ts";
import { memoryStorage, type CatalogStorage } from "../../../lib/catalog/mod.ts";
import { TokenUses } from "../../../lib/serve/auth/token-uses.ts";
import { Tokens } from "../../../lib/serve/mod.ts";

const MINUTE_MS = 60_000;

/** A host whose clocks are set by hand, and a storage that counts what is read and written. */
function setup() {
  const clock = { ms: 0 };
  const start = Date.parse("2026-11-27T12:00:00Z");
  const host = createHost({ now: () => new Date(start + clock.ms), monotonicMs: () => clock.ms });
  const count = { reads: 0, writes: 0 };
  const inner = memoryStorage();
  const storage: CatalogStorage = {
    async open(catalog, schema) {
      const store = await inner.open(catalog, schema);
      return {
        ...store,
        append: (entry) => {
          count.writes += 1;
          return store.append(entry);
        },
        get: (keys) => {
          count.reads += 1;
          return store.get(keys);
        },
      };
    },
  };
  return { clock, count, services: { host, storage, log: silentLog } };
}

test("mark() looks at the storage once in ten minutes for each token", async () => {
  const { clock, count, services } = setup();
  const uses = await TokenUses.open(services);
  uses.mark("a");
  uses.mark("b");
  await uses.all();
  const before = { ...count };
  clock.ms = 10 * MINUTE_MS - 1;
  for (let at = 0; at < 100; at++) uses.mark(at % 2 === 0 ? "a" : "b");
  await uses.all();
  expect(count).toEqual(before);
  clock.ms += 1;
  uses.mark("a");
  await uses.all();
  expect(count.writes).toBe(before.writes + 1);
  await uses.close();
});

test("mark() writes nothing if another process has recorded a use in the last ten minutes", async () => {
  const { clock, count, services } = setup();
  const uses = await TokenUses.open(services);
  const others = await TokenUses.open(services);
  uses.mark("a");
  await uses.all();
  const { writes } = count;
  clock.ms = 9 * MINUTE_MS;
  others.mark("a");
  expect((await others.all()).get("a")).toBe("2026-11-27T12:00:00.000Z");
  expect(count.writes).toBe(writes);
  // The others tried nine minutes after the first.
  clock.ms = 19 * MINUTE_MS;
  others.mark("a");
  expect((await others.all()).get("a")).toBe("2026-11-27T12:19:00.000Z");
  await uses.close();
  await others.close();
});

test("revoke() forgets the use of its token", async () => {
  const { services } = setup();
  const tokens = await Tokens.open(services);
  const { token, info } = await tokens.create({ name: "a", role: "admin" });
  await tokens.verify(token);
  await using kept = { uses: await TokenUses.open(services), [Symbol.asyncDispose]: () => kept.uses.close() };
  await tokens.list();
  expect([...(await kept.uses.all()).keys()]).toEqual([info.id]);
  expect((await tokens.revoke(info.id)).lastUsedAt).toBe("2026-11-27T12:00:00.000Z");
  expect([...(await kept.uses.all()).keys()]).toEqual([]);
  await tokens.close();
});

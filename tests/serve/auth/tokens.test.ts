import { describe, expect, test } from "bun:test";

import { createHost, silentLog, type Host } from "../../../lib/base/mod.ts";
import { memoryStorage, openCatalog } from "../../../lib/catalog/mod.ts";
import { Tokens, type NewToken } from "../../../lib/serve/mod.ts";

/** A host whose clocks stand still until they are moved. */
function clock() {
  let elapsedMs = 0;
  const start = Date.parse("2026-11-27T12:00:00Z");
  const host: Host = createHost({
    now: () => new Date(start + elapsedMs),
    monotonicMs: () => elapsedMs,
  });
  return { host, pass: (ms: number) => (elapsedMs += ms) };
}

function opened(host: Host, storage = memoryStorage()) {
  return Tokens.open({ storage, host, log: silentLog });
}

const MINUTE_MS = 60_000;

describe("Tokens", () => {
  test("list() returns all tokens without their secrets, oldest first", async () => {
    const { host, pass } = clock();
    await using tokens = await opened(host);
    const grants = { tables: ["shop.orders"], sources: [], folders: [] };
    await tokens.create({ name: "first", role: "admin", actor: "ann" });
    pass(1);
    await tokens.create({ name: "second", role: "analyst", grants, expiresAt: new Date("2027-01-01") });
    const list = await tokens.list();
    expect(list.map((info) => ({ ...info, id: "" }))).toEqual([
      {
        id: "",
        name: "first",
        kind: "token",
        role: "admin",
        grants: null,
        createdAt: "2026-11-27T12:00:00.000Z",
        createdBy: "ann",
        expiresAt: null,
        lastUsedAt: null,
      },
      {
        id: "",
        name: "second",
        kind: "token",
        role: "analyst",
        grants,
        createdAt: "2026-11-27T12:00:00.001Z",
        createdBy: "unknown",
        expiresAt: "2027-01-01T00:00:00.000Z",
        lastUsedAt: null,
      },
    ]);
  });

  test("revoke() applies to the next use in every process", async () => {
    const { host } = clock();
    const storage = memoryStorage();
    await using here = await opened(host, storage);
    await using there = await opened(host, storage);
    const { token, info } = await here.create({ name: "reports", role: "analyst" });
    expect((await there.verify(token)).id).toBe(info.id);
    expect((await here.revoke(info.id)).name).toBe("reports");
    expect(there.verify(token)).rejects.toMatchObject({ code: "token_invalid" });
    expect(await there.principal(info.id)).toBeNull();
    expect(here.revoke(info.id)).rejects.toMatchObject({
      code: "token_unknown",
      details: { id: info.id },
    });
    expect(await here.list()).toEqual([]);
  });

  test("verify() fails for an expired token, another secret and text that is no token", async () => {
    const { host, pass } = clock();
    await using tokens = await opened(host);
    const expiresAt = new Date(host.now().getTime() + MINUTE_MS);
    const { token, info } = await tokens.create({ name: "short", role: "admin", expiresAt });
    expect(await tokens.verify(token)).toEqual({
      id: info.id,
      name: "short",
      role: "admin",
      grants: null,
      expiresAt: expiresAt.toISOString(),
    });
    const other = (await tokens.create({ name: "other", role: "admin" })).token;
    const wrong = [token.slice(0, -43) + other.slice(-43), `agnes_${info.id}_`, "", "x", `${token} `];
    for (const text of wrong)
      expect(tokens.verify(text)).rejects.toMatchObject({ code: "token_invalid", details: {} });
    pass(MINUTE_MS);
    expect(tokens.verify(token)).rejects.toMatchObject({ code: "token_invalid" });
    expect(await tokens.principal(info.id)).toBeNull();
  });

  test("the last use is recorded at most once in ten minutes, also by several processes", async () => {
    const { host, pass } = clock();
    const storage = memoryStorage();
    await using tokens = await opened(host, storage);
    await using others = await opened(host, storage);
    const { token } = await tokens.create({ name: "busy", role: "admin" });
    const lastUse = async () => (await tokens.list())[0]!.lastUsedAt;
    await Promise.all(Array.from({ length: 50 }, () => tokens.verify(token)));
    expect(await lastUse()).toBe("2026-11-27T12:00:00.000Z");
    pass(9 * MINUTE_MS);
    await tokens.verify(token);
    await others.verify(token);
    await others.list();
    expect(await lastUse()).toBe("2026-11-27T12:00:00.000Z");
    pass(MINUTE_MS);
    await tokens.verify(token);
    expect(await lastUse()).toBe("2026-11-27T12:10:00.000Z");
  });

  test("sessions of processes that ended are neither listed nor kept", async () => {
    const { host } = clock();
    const storage = memoryStorage();
    await using tokens = await opened(host, storage);
    const { info } = await tokens.create({ name: "link", role: "admin", kind: "session" });
    const schema = { name: "tokens", rowKey: "id", indexKeys: ["role"] } as const;
    await using catalog = await openCatalog<{ id: string; holder?: object }>({ ...schema, storage, host });
    const { record } = (await catalog.get(info.id))!;
    const copies = { earlier: { run: "other" }, dead: { pid: 2 ** 30 }, elsewhere: { space: "b", pid: 1 } };
    for (const [id, holder] of Object.entries(copies))
      await catalog.insert({ ...record, id, holder: { ...record.holder, ...holder } });
    const kept = [info.id, "elsewhere"].toSorted();
    expect((await tokens.list()).map(({ id }) => id).toSorted()).toEqual(kept);
    await tokens.removeEndedSessions();
    const stored = await catalog.query({});
    expect(stored.map((row) => row.record.id).toSorted()).toEqual(kept);
  });

  test("create() rejects names, grants and expiries that are not valid", async () => {
    const { host } = clock();
    await using tokens = await opened(host);
    const none = { tables: [], sources: [], folders: [] };
    const refused: readonly [Partial<NewToken>, string][] = [
      [{ name: "" }, "its name is empty or has more than 100 characters"],
      [{ name: "a".repeat(101) }, "its name is empty or has more than 100 characters"],
      [{ name: "a\nb" }, "its name has control characters"],
      [{ name: " a" }, "its name starts or ends with a space"],
      [{ role: "root" as "admin" }, 'its role "root" is neither admin nor analyst'],
      [{ role: "admin", grants: none }, "administrators may access all tables, so it cannot have grants"],
      [{ grants: { ...none, tables: ["orders"] } }, 'its grant "orders" is not `source.table`'],
      [
        { grants: { ...none, folders: [""] } },
        "the folder of a grant is empty or has more than 300 characters",
      ],
      [{ expiresAt: host.now() }, "its expiry is not in the future, before the year 9999"],
      [{ expiresAt: new Date(Number.NaN) }, "its expiry is not in the future, before the year 9999"],
      [{ expiresAt: new Date(8.64e15) }, "its expiry is not in the future, before the year 9999"],
    ];
    for (const [token, reason] of refused)
      expect(tokens.create({ name: "a", role: "analyst", ...token })).rejects.toMatchObject({
        code: "token_refused",
        details: { reason },
      });
    expect(await tokens.list()).toEqual([]);
  });
});

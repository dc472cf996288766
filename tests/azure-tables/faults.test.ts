import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";

import { openCatalog, type Catalog } from "agnes/catalog";
import { azureTablesStorage, type AzureTablesOptions } from "agnes/plugins/azure-tables";

import { startAzurite, type Azurite } from "../fakes/azurite.ts";
import { startFaultyProxy, type FaultyProxy, type ProxyFault } from "../fakes/faulty-proxy.ts";

interface Item {
  readonly id: string;
  readonly group: string;
  readonly n: number;
}

let azurite: Azurite;
let proxy: FaultyProxy;
let catalogs = 0;
beforeAll(async () => {
  azurite = await startAzurite();
  proxy = startFaultyProxy(azurite.port);
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await azurite[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.fault = () => undefined;
  catalogs += 1;
});

function open(port: number, options: AzureTablesOptions = { requestTimeoutMs: 250 }): Promise<Catalog<Item>> {
  const connectionString = azurite.connectionString.replace(`:${azurite.port}/`, `:${port}/`);
  const storage = azureTablesStorage({ connectionString, ...options });
  return openCatalog<Item>({ storage, name: `faults ${catalogs}`, rowKey: "id", indexKeys: ["group", "n"] });
}

const faults: Readonly<Record<string, ProxyFault>> = {
  "429": { kind: "answer", status: 429, afterEffect: false },
  "503": { kind: "answer", status: 503, afterEffect: false },
  "503 after it took effect": { kind: "answer", status: 503, afterEffect: true },
  "408 after it took effect": { kind: "answer", status: 408, afterEffect: true },
  "500 after it took effect": { kind: "answer", status: 500, afterEffect: true },
  "409 although it took effect": { kind: "answer", status: 409, afterEffect: true },
  "412 although it took effect": { kind: "answer", status: 412, afterEffect: true },
  "no answer": { kind: "hang", afterEffect: false },
  "no answer after it took effect": { kind: "hang", afterEffect: true },
};

describe("the catalog loses and duplicates nothing when the response to a write is", () => {
  for (const [name, fault] of Object.entries(faults)) {
    test(name, async () => {
      const catalog = await open(proxy.port);
      await catalog.insert({ id: "moves", group: "before", n: 0 });
      // Every second write fails once: single writes, batches and the checkpoint.
      let writes = 0;
      proxy.fault = ({ method }) => (method !== "GET" && writes++ % 2 === 1 ? fault : undefined);
      // A false 412 cannot be detected. Only requests with etags return one, so only those fail.
      if (name.startsWith("412")) proxy.fault = ({ method }) => (method === "PUT" ? once(fault) : undefined);
      const items = Array.from({ length: 60 }, (_, at) => ({
        id: `i${at}`,
        group: `g${at % 2}`,
        n: at % 3,
      }));
      const bulk = await catalog.insertMany(items);
      const moved = await catalog.insert({ id: "moves", group: "after", n: 1 });
      const gone = await catalog.delete("i0");
      expect([bulk.sequence, moved.version, gone.sequence]).toEqual([2, 3, 4]);
      proxy.fault = () => undefined;
      await catalog.close();
      await using reader = await open(azurite.port);
      expect(await reader.query({ group: "before" })).toEqual([]);
      expect(await reader.query({ group: "after" })).toHaveLength(1);
      expect(await reader.query({ group: "g0" })).toHaveLength(29);
      expect(await reader.query({ group: "g1", n: 1 })).toHaveLength(10);
      expect(await reader.query({})).toHaveLength(60);
      expect(await reader.history()).toHaveLength(4);
    });
  }
});

test("query() by index, with any number of conditions, and get() take one request each", async () => {
  // No request is repeated on a slow machine, and none looks again for what others wrote.
  await using catalog = await open(proxy.port, { requestTimeoutMs: 30_000, recheckMs: 60_000 });
  await catalog.insertMany(
    Array.from({ length: 300 }, (_, at) => ({ id: `i${at}`, group: `g${at % 30}`, n: at % 3 })),
  );
  await catalog.query({});
  const count = async (work: () => Promise<unknown>) => {
    const before = proxy.requests.length;
    await work();
    return proxy.requests.length - before;
  };
  expect(await count(() => catalog.query({ group: "g7" }))).toBe(1);
  expect(await count(() => catalog.query({ group: "g7", n: 1 }, { rowFrom: "i1", rowTo: "i2" }))).toBe(1);
  expect(await count(() => catalog.query({ group: "nothing" }))).toBe(1);
  expect(await count(() => catalog.get("i17"))).toBe(1);
});

test("insert() in batches takes less than one request per record", async () => {
  await using catalog = await open(proxy.port, { requestTimeoutMs: 30_000 });
  const before = proxy.requests.length;
  await catalog.insertMany(
    Array.from({ length: 500 }, (_, at) => ({ id: `i${at}`, group: `g${at}`, n: at % 3 })),
  );
  await catalog.query({ n: 0 });
  // Requests for the log, and batches of rows; the first approach takes seven requests per record.
  expect(proxy.requests.length - before).toBeLessThan(40);
});

let answered = false;
function once(fault: ProxyFault): ProxyFault | undefined {
  answered = !answered;
  return answered ? fault : undefined;
}

import { expect, setDefaultTimeout, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { join } from "node:path";

import {
  definePlugin,
  type DownloadFile,
  type FileChunk,
  type Http,
  type HttpDefaults,
  type ReadOptions,
} from "agnes/kit";
import { connectorContract } from "agnes/testing";

import { fakeWarehouse, WAREHOUSE_TOKEN } from "../fakes/warehouse.ts";
import { fakeCrm, CRM_TOKEN } from "../fakes/crm.ts";
import { failuresOf } from "./failures.ts";
import crm from "./plugins/crm.ts";
import warehouse from "./plugins/warehouse.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

const CUT = "an extract survives a connection lost during a download";
const RESUMES = "read() resumes the downloads of an interrupted read";
const CASES = [CUT, RESUMES];

type Read = ReturnType<typeof connected>["read"];

function connected(context: Parameters<typeof warehouse.connect>[0]) {
  const good = warehouse.connect(context);
  if (good instanceof Promise) throw new Error("the warehouse connects at once");
  return good;
}

/** The warehouse plugin with a different read or HTTP client. */
const warehouseThat = (read: (good: Read) => Read, http: (http: Http) => Http = (one) => one) =>
  definePlugin({
    ...warehouse,
    connect(context) {
      const good = connected({ ...context, http: http(context.http) });
      return { ...good, read: read((table, options) => good.read(table, options)) };
    },
  });

/** A client that downloads by itself, and takes the end of a lost connection for the end of the file. */
const truncating = (http: Http): Http =>
  new Proxy(http, {
    get(client, name: keyof Http) {
      if (name === "with") return (defaults: HttpDefaults) => truncating(client.with(defaults));
      if (name === "download") return (files: readonly DownloadFile[]) => truncated(client, files);
      return client[name].bind(client);
    },
  });

async function* truncated(http: Http, files: readonly DownloadFile[]): AsyncGenerator<FileChunk, void> {
  const { signal } = new AbortController();
  for (const { url } of files) {
    const found = typeof url === "string" ? url : await url({ rejected: false, signal });
    const address = typeof found === "string" ? found : found.url;
    const { body } = await http.request(address, { headers: { "accept-encoding": "identity" } });
    const data = async function* () {
      try {
        yield* body;
      } catch {
        // Wrong: the rest of the file is missing.
      }
    };
    yield { kind: "file", format: "csv", data: data() };
  }
}

const failures = (plugin: typeof warehouse) =>
  failuresOf(plugin, { secrets: { WAREHOUSE_TOKEN }, server: fakeWarehouse() }, CASES);

test("connectorContract() accepts a connector that resumes downloads, and reports one that has none", async () => {
  expect(await failures(warehouse)).toEqual([]);
  const cases = connectorContract(crm, { secrets: { CRM_TOKEN }, server: fakeCrm() });
  for (const name of CASES)
    expect(await cases.find((one) => one.name === name)!.run()).toContain("nothing was tested");
});

test("connectorContract() detects downloads without the directory of the read", async () => {
  const plugin = warehouseThat(
    (read) =>
      (table, { batchRows, signal }) =>
        read(table, { batchRows, signal }),
  );
  expect(await failures(plugin)).toEqual([RESUMES]);
});

test("connectorContract() detects downloads into a different directory each time", async () => {
  const elsewhere = (options: ReadOptions): ReadOptions =>
    options.directory === undefined
      ? options
      : { ...options, directory: join(options.directory, randomUUID()) };
  const plugin = warehouseThat((read) => (table, options) => read(table, elsewhere(options)));
  expect(await failures(plugin)).toEqual([RESUMES]);
});

test("connectorContract() detects a read that ends at a failed download", async () => {
  const plugin = warehouseThat(
    (read) =>
      async function* (table, options) {
        try {
          yield* read(table, options);
        } catch {
          // Wrong: the rows of the file are missing.
        }
      },
  );
  expect(await failures(plugin)).toEqual([RESUMES]);
});

test("connectorContract() detects downloads that end with a lost connection", async () => {
  expect(await failures(warehouseThat((read) => read, truncating))).toEqual(CASES);
});

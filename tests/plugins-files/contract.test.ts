import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";

import { connectorContract } from "agnes/testing";

import files from "../../plugins/files/plugin.ts";
import { makeFolder, type Folder } from "./support.ts";

// These tests open many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

let folder: Folder;
beforeAll(async () => {
  folder = await makeFolder();
  await folder.write(
    "orders.csv",
    "id,customer,placed_on,paid\n1,Ada,2026-01-01,true\n2,,2026-01-02,false\n3,Bob,,\n",
  );
  await folder.write("notes.ndjson", '{"id":1,"tags":["a","b"]}\n{"id":2,"who":{"name":"Ada"}}\n');
  await folder.write("events/a.csv", "id,value\n1,2\n");
  await folder.write("events/b.csv.gz", Bun.gzipSync("id,value,extra\n2,2.5,x\n"));
  await folder.write("empty.csv", "id,name\n");
  await folder.sql("COPY (SELECT i::INTEGER AS n, i / 3 AS x FROM range(5000) t(i)) TO '@/numbers.parquet'");
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
});

describe("files: contract", () => {
  for (const { name, run } of connectorContract(files, {
    options: {
      get path() {
        return folder.path;
      },
    },
  })) {
    test(name, run);
  }
});

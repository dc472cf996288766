// The contract suite of a connector under node:test.
import { test } from "node:test";

import { connectorContract } from "agnes/testing";
import files from "agnes/plugins/files";

for (const { name, run } of connectorContract(files, { options: { path: process.env.FILES_PATH } }))
  test(name, run);

import { test } from "bun:test";

import type { FileProvider } from "../fakes/keboola/mod.ts";
import { checkAllCalls } from "../plugins-keboola/calls.ts";

for (const provider of ["gcp", "aws"] satisfies readonly FileProvider[])
  test(`keboola: calls are as the vendor documents them, with files in the cloud of ${provider}`, () =>
    checkAllCalls(provider));

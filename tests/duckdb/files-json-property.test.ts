import { test } from "bun:test";

import { seedsTo } from "../seeds.ts";
import { expectJsonAsParsed } from "./files-json-property.ts";

test("inspectJson() and openJson() return the same as JSON.parse, for any columns, files and orders", async () => {
  await expectJsonAsParsed(seedsTo(12));
});

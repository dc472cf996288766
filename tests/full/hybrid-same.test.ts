import { setDefaultTimeout } from "bun:test";

import { testHybridSame } from "../query/hybrid-same.ts";
import { seedsTo } from "../seeds.ts";

setDefaultTimeout(120_000);

testHybridSame(seedsTo(20));

import { setDefaultTimeout } from "bun:test";

import { seedsTo } from "../seeds.ts";
import { testHybridSame } from "./hybrid-same.ts";

setDefaultTimeout(60_000);

testHybridSame(seedsTo(1));

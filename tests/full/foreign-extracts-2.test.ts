import { testForeignExtracts } from "./foreign-extracts.ts";

testForeignExtracts(2501);

import { testForeignExtracts } from "./foreign-extracts.ts";

testForeignExtracts(5001);

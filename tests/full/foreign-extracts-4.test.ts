import { testForeignExtracts } from "./foreign-extracts.ts";

testForeignExtracts(7501);

import { testSameResults } from "./live-same.ts";

testSameResults([
  { by: "read", remote: ["b"] },
  { by: "query", remote: ["b", "c"] },
]);

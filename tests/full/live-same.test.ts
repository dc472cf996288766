import { testSameResults } from "../query/live-same.ts";

testSameResults([
  { by: "read", remote: ["b", "c"] },
  { by: "read", remote: ["a", "b", "c"] },
  { by: "selectSql", remote: ["b", "c"] },
]);

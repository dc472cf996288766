import { testSameAnswers } from "../query/live-same.ts";

testSameAnswers([
  { by: "read", remote: ["b", "c"] },
  { by: "read", remote: ["a", "b", "c"] },
  { by: "selectSql", remote: ["b", "c"] },
]);

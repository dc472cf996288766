import { testSameAnswers } from "./live-same.ts";

testSameAnswers([
  { by: "read", remote: ["b"] },
  { by: "query", remote: ["b", "c"] },
]);

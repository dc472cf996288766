import { expect, test } from "bun:test";

import { jobsText, priceText } from "../../cmd/terminal/jobs-text.ts";
import type { SourceJob } from "../../lib/kit/mod.ts";

const done: SourceJob = { id: "a", status: "done" };
const full: SourceJob = {
  ...done,
  processedBytes: 1_200_000_000,
  billedBytes: 0,
  isCached: true,
  slotMs: 1500,
  price: { amount: 0, currency: "USD" },
};

test.each<[readonly SourceJob[], string]>([
  [[], "no jobs"],
  [[done], "job a"],
  [[full], "job a: 1.2 GB processed, 0 bytes billed, 0.00 USD, 1.5 s of slots, from the cache"],
  [[{ ...done, isCached: false }], "job a"],
  [[{ ...done, status: "cancelled" }], "job a: stopped and may still be billed"],
  [[{ ...done, status: "running" }], "job a: stopped and may still be billed"],
  [[{ ...done, status: "failed", billedBytes: 5 }], "job a: 5 bytes billed, failed"],
  [[full, full], "2 jobs: 2.4 GB processed, 0 bytes billed, 0.00 USD, 3.0 s of slots, 2 from the cache"],
  [[full, { ...done, billedBytes: 7 }], "2 jobs: 7 bytes billed, 1 from the cache"],
  [[full, { ...full, price: { amount: 1, currency: "EUR" } }], expect.not.stringMatching(/USD|EUR/)],
  [
    [full, { ...done, id: "b", status: "failed" }, { ...done, id: "c", status: "cancelled" }],
    "3 jobs: 1 from the cache, failed: b, stopped and may still be billed: c",
  ],
] as never)("jobsText(%j) is %j", (jobs, text) => {
  expect(jobsText(jobs)).toEqual(text);
});

test.each([
  [0, "0.00 USD"],
  [0.0001, "less than 0.01 USD"],
  [0.0099, "less than 0.01 USD"],
  [0.01, "0.01 USD"],
  [12.345, "12.35 USD"],
])("the price %p is %p", (amount, text) => {
  expect(priceText({ amount, currency: "USD" })).toBe(text);
});

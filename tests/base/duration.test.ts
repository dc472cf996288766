import { expect, test } from "bun:test";

import { AgnesError } from "../../lib/base/mod.ts";
import { spokenDuration } from "../../lib/base/duration.ts";

test.each([
  [0, "0 ms"],
  [0.4, "0 ms"],
  [200, "200 ms"],
  [1000, "1 second"],
  [1540, "1.5 seconds"],
  [30_000, "30 seconds"],
  [60_000, "1 minute"],
  [150_000, "2 minutes 30 seconds"],
  [300_000, "5 minutes"],
  [6 * 3_600_000, "6 hours"],
  [3_661_000, "1 hour 1 minute 1 second"],
])("spokenDuration(%p) returns %p", (durationMs, text) => {
  expect(spokenDuration(durationMs)).toBe(text);
});

test("the message of timed_out has the timeout in words, and its details in milliseconds", () => {
  const error = new AgnesError("timed_out", { what: "the query", timeoutMs: 300_000 });
  expect(error.message).toBe("the query did not finish within 5 minutes");
  expect(error.details.timeoutMs).toBe(300_000);
});

import { expect, test } from "bun:test";

import { permanent, transient } from "../../lib/kit/mod.ts";

test("permanent() and transient() have the hint of the author", () => {
  expect(permanent("the account is locked", { hint: "Ask the owner to unlock it." })).toMatchObject({
    code: "source_refused",
    message: "the account is locked",
    hint: "Ask the owner to unlock it.",
    retry: "permanent",
  });
  expect(transient("busy", { hint: "Run it at night.", retryAfterMs: 2000 })).toMatchObject({
    code: "source_unavailable",
    hint: "Run it at night.",
    details: { retryAfterMs: 2000 },
  });
});

test("permanent() without a hint does not blame the options of the source", () => {
  const { hint, details } = permanent("the signature of the webhook is wrong", { cause: new Error("x") });
  expect(hint).toBe("Correct the cause before you run it again; a retry alone does not help.");
  expect(details).not.toHaveProperty("advice");
  expect(transient("busy").hint).toBe("The source may be available later; run it again.");
});

import { describe, expect, test } from "bun:test";

import { streamResponse } from "../../lib/serve/http/stream-response.ts";

/** Yields bytes, then throws or ends. */
async function* bytes(count: number, error: Error | null, ended: { isEnded: boolean }) {
  try {
    for (let at = 0; at < count; at++) yield new Uint8Array(10);
    if (error !== null) throw error;
  } finally {
    ended.isEnded = true;
  }
}

function messageOf(failing: Promise<unknown>): Promise<string> {
  return failing.then(
    () => "it did not fail",
    (error: unknown) => (error as Error).message,
  );
}

const headers = { "content-type": "application/octet-stream" };

describe("streamResponse", () => {
  test("throws an error before the first bytes", async () => {
    const pieces = bytes(0, new Error("early"), { isEnded: false });
    const responding = streamResponse(pieces, { headers, checkSize: () => {} });
    expect(await messageOf(responding)).toBe("early");
  });

  test("breaks the connection at a later error", async () => {
    const pieces = bytes(3, new Error("late"), { isEnded: false });
    const response = await streamResponse(pieces, { headers, checkSize: () => {} });
    expect(response.status).toBe(200);
    expect(await messageOf(response.arrayBuffer())).toBe("late");
  });

  test("above the maximum size it fails and reads no more", async () => {
    const ended = { isEnded: false };
    const checkSize = (sizeBytes: number) => {
      if (sizeBytes > 25) throw new Error("too large");
    };
    const response = await streamResponse(bytes(1000, null, ended), { headers, checkSize });
    expect(await messageOf(response.arrayBuffer())).toBe("too large");
    expect(ended.isEnded).toBe(true);
  });

  test("a client that goes away ends the reading; an empty result is a complete response", async () => {
    const ended = { isEnded: false };
    const response = await streamResponse(bytes(1000, null, ended), { headers, checkSize: () => {} });
    await response.body!.cancel();
    expect(ended.isEnded).toBe(true);
    const empty = await streamResponse(bytes(0, null, ended), { headers, checkSize: () => {} });
    expect((await empty.arrayBuffer()).byteLength).toBe(0);
  });
});

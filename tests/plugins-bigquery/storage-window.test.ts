import { expect, test } from "bun:test";
import { createServer, type AddressInfo } from "node:net";

import { openChannel } from "../../plugins/bigquery/storage/channel.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_BYTES = 9;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const INITIAL_WINDOW_SIZE = 4;
/** The window of a connection before any update. */
const DEFAULT_WINDOW = 65_535;
const EMPTY_SETTINGS = Buffer.from([0, 0, 0, SETTINGS, 0, 0, 0, 0, 0]);

/** The windows that a client of HTTP/2 announces: that of each stream and that of the connection. */
async function announcedWindows(): Promise<{ readonly stream: number; readonly connection: number }> {
  const windows = { stream: DEFAULT_WINDOW, connection: DEFAULT_WINDOW };
  const stop = new AbortController();
  const server = createServer((socket) => {
    let received = Buffer.alloc(0);
    let isStarted = false;
    socket.on("error", () => {});
    socket.write(EMPTY_SETTINGS);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (!isStarted && received.length >= PREFACE.length) {
        expect(String(received.subarray(0, PREFACE.length))).toBe(PREFACE);
        received = received.subarray(PREFACE.length);
        isStarted = true;
      }
      while (isStarted && received.length >= HEADER_BYTES) {
        const end = HEADER_BYTES + received.readUIntBE(0, 3);
        if (received.length < end) break;
        const [type, stream, body] = [
          received[3],
          received.readUInt32BE(5),
          received.subarray(HEADER_BYTES, end),
        ];
        for (let at = 0; type === SETTINGS && at < body.length; at += 6)
          if (body.readUInt16BE(at) === INITIAL_WINDOW_SIZE) windows.stream = body.readUInt32BE(at + 2);
        if (type === WINDOW_UPDATE && stream === 0) windows.connection += body.readUInt32BE(0);
        // The call is sent when the connection is set up.
        if (stream > 0) stop.abort();
        received = received.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const channel = await openChannel({ endpoint, bearer: undefined, idleMs: 10_000 });
  try {
    await Array.fromAsync(channel.readRows("s", 0, stop.signal)).catch(() => {});
  } finally {
    channel.close();
    server.close();
  }
  return windows;
}

test("bigquery: a server may send 1 MiB without an acknowledgement, 16 times the default", async () => {
  expect(await announcedWindows()).toEqual({ stream: 1024 ** 2, connection: 1024 ** 2 });
});

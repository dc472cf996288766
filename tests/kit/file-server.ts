import type { Handler } from "./local-server.ts";

/** A file on a server, and the behaviour of the server. */
export interface ServedFile {
  readonly content: Buffer;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Whether Range is supported. Default: `true`. */
  readonly ranges?: boolean;
  /** Whether If-Range is supported. Default: `true`. */
  readonly ifRange?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Responds to a GET according to RFC 9110, or with the faults of the file. */
export const serve =
  (file: ServedFile): Handler =>
  ({ headers }, response) => {
    const { content, etag, lastModified, ranges = true, ifRange = true } = file;
    const common = {
      date: "Thu, 01 Jan 2026 00:00:00 GMT",
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { "last-modified": lastModified }),
      ...file.headers,
    };
    const validators = [etag, lastModified];
    const known = headers["if-none-match"] ?? headers["if-modified-since"];
    if (known !== undefined && validators.includes(String(known)))
      return void response.writeHead(304, common).end();
    const from = ranges ? /^bytes=(\d+)-$/.exec(String(headers["range"])) : null;
    const condition = headers["if-range"];
    const holds = !ifRange || condition === undefined || validators.includes(String(condition));
    const start = from !== null && holds ? Number(from[1]) : 0;
    if (start > 0 && start >= content.length) {
      return void response.writeHead(416, { "content-range": `bytes */${content.length}` }).end();
    }
    const body = content.subarray(start);
    const range = { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
    response.writeHead(start > 0 ? 206 : 200, {
      "content-length": String(body.length),
      ...(start > 0 ? range : {}),
      ...common,
    });
    response.end(body);
  };

/**
 * A network that drops the connection after an exact number of bytes of the n-th body, counted from 1. Real sockets
 * cannot do that: they lose bytes that were received but not yet read.
 */
export function cutting(bytesOfBody: (n: number) => number | undefined): typeof fetch {
  let count = 0;
  const cut = async (...[input, init]: Parameters<typeof fetch>): Promise<Response> => {
    const whole = await fetch(input, init);
    count += 1;
    const bytes = bytesOfBody(count);
    if (bytes === undefined) return whole;
    const content = new Uint8Array(await whole.arrayBuffer()).subarray(0, bytes);
    let isSent = false;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (isSent) return controller.error(Object.assign(new Error("lost"), { code: "ECONNRESET" }));
          isSent = true;
          controller.enqueue(content);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { status: whole.status, headers: whole.headers });
  };
  return cut as unknown as typeof fetch;
}

/** Non-repeating bytes. */
export function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

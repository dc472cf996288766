import { createHash } from "node:crypto";

import { faultyFetch, type FakeServer } from "agnes/testing";

/** The only token the fake warehouse takes. */
export const WAREHOUSE_TOKEN = "wh-5ecret+token/0123456789";

/** A row as the warehouse has it. */
export interface WarehouseOrder {
  readonly id: number;
  readonly customer: string | null;
  readonly amount: string;
  readonly updated_at: string;
}

/** How the warehouse and its storage behave. */
export interface WarehouseScript {
  /** What a job answers before it is done, one answer per question. Default: `waiting`, `running`. */
  readonly job?: readonly JobStep[];
  /** Rows of a slice. Default 40. */
  readonly sliceRows?: number;
  /** After so many requests for slices every link that was handed out until then is refused. Default: never. */
  readonly expiresAfter?: number;
  /** What becomes of the n-th request for a slice, counted from 1. Default: all are answered. */
  readonly slice?: (n: number) => SliceFault | undefined;
  /** Whether the storage has ranges. Default `true`. */
  readonly ranges?: boolean;
}

/** One answer about a job. */
export type JobStep = "waiting" | "running" | { readonly failed: string } | { readonly retryAfter: string };

/** What becomes of one request for a slice. */
export type SliceFault =
  /** The connection is lost after so many bytes. */
  | { readonly kind: "cut"; readonly bytes: number }
  /** The answer is 429 with Retry-After. */
  | { readonly kind: "busy"; readonly retryAfter: string }
  /** The slice was written again meanwhile: same rows, another ETag. */
  | { readonly kind: "rewritten" };

/** A warehouse, with what it saw. */
export interface FakeWarehouse extends FakeServer {
  /** Requests for slices: which one, from which byte. */
  readonly fetched: readonly { readonly slice: string; readonly range: string | null }[];
  /** The ids of jobs that were cancelled. */
  readonly cancelled: readonly number[];
}

/** Orders that are the same every time. */
export function warehouseOrders(count = 100): readonly WarehouseOrder[] {
  return Array.from({ length: count }, (_, at) => ({
    id: at + 1,
    customer: at % 7 === 6 ? null : `customer, "${at % 5}"`,
    amount: `${(at * 37) % 1000}.25`,
    updated_at: new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString().slice(0, 19).replace("T", " "),
  }));
}

/**
 * An API that exports tables in the background and hands out signed links to slices on the host of a cloud storage.
 *
 * Faithful to: the start of an export by POST and its job (Keboola Storage, Snowflake, Athena), links that carry their
 * credential in the query and are refused with 403 when they expire (S3, Azure, GCS), which also refuse a request
 * that has an Authorization header beside it (S3), ETag, Range and If-Range (RFC 9110), one export for the same
 * question while nothing changed (Keboola).
 */
export function fakeWarehouse(
  orders: readonly WarehouseOrder[] = warehouseOrders(),
  script: WarehouseScript = {},
): FakeWarehouse {
  const { sliceRows = 40, job: steps = ["waiting", "running"], expiresAfter = Infinity } = script;
  const requests: { method: string; url: string; headers: Headers }[] = [];
  const fetched: { slice: string; range: string | null }[] = [];
  const cancelled: number[] = [];
  const exports = new Map<string, readonly Buffer[]>();
  const jobs: { readonly id: string; readonly rows: number; asked: number }[] = [];
  let hasExpired = false;
  let version = 1;

  const api = (method: string, path: string, body: string): Response => {
    if (method === "POST" && path === "/v1/tables/orders/export") {
      const { changedSince = "" } = JSON.parse(body) as { changedSince?: string };
      const id = createHash("sha256").update(`${changedSince}/${orders.length}`).digest("hex").slice(0, 8);
      const rows = orders.filter(
        (order) => Date.parse(`${order.updated_at}Z`) >= Date.parse(changedSince || "1970-01-01"),
      );
      exports.set(id, slicesOf(rows, sliceRows));
      jobs.push({ id, rows: rows.length, asked: 0 });
      return Response.json({ id: jobs.length, status: "waiting" }, { status: 202 });
    }
    const number = /^\/v1\/jobs\/(\d+)$/.exec(path)?.[1];
    const found = number === undefined ? undefined : jobs[Number(number) - 1];
    if (found !== undefined && method === "DELETE") {
      cancelled.push(Number(number));
      return new Response(null, { status: 204 });
    }
    if (found !== undefined) return jobAnswer(Number(number), found, steps[found.asked++]);
    const slices = exports.get(/^\/v1\/exports\/(\w+)$/.exec(path)?.[1] ?? "");
    if (slices === undefined) return Response.json({ error: `there is no ${path}` }, { status: 404 });
    const signature = hasExpired ? "new" : "first";
    return Response.json({
      slices: slices.map((content, at) => ({
        url: `https://storage.example.net${path.replace("/v1", "")}/${at}.csv?signature=${signature}-5ignature`,
        sizeBytes: content.length,
        md5: createHash("md5").update(content).digest("base64"),
      })),
    });
  };

  const storage = (url: URL, headers: Headers): Response => {
    const [, , id, name] = url.pathname.split("/");
    const content = exports.get(id!)?.[Number.parseInt(name!, 10)];
    fetched.push({ slice: name!, range: headers.get("range") });
    if (fetched.length > expiresAfter) hasExpired = true;
    const isValid = url.searchParams.get("signature") === `${hasExpired ? "new" : "first"}-5ignature`;
    if (headers.has("authorization"))
      return new Response("only one way to sign in is allowed", { status: 400 });
    if (!isValid) return new Response("<Error>AccessDenied: request has expired</Error>", { status: 403 });
    const fault = script.slice?.(fetched.length);
    if (fault?.kind === "busy")
      return new Response(null, { status: 429, headers: { "retry-after": fault.retryAfter } });
    if (fault?.kind === "rewritten") version += 1;
    const answer = partOf(content!, `"${id}-${version}"`, script.ranges === false ? new Headers() : headers);
    return fault?.kind === "cut" ? cut(answer.body, fault.bytes, answer) : new Response(answer.body, answer);
  };

  const network = faultyFetch((async (...[input, init]: Parameters<typeof fetch>) => {
    const request = new Request(input as string, init as RequestInit);
    request.signal.throwIfAborted();
    requests.push({ method: request.method, url: request.url, headers: request.headers });
    const url = new URL(request.url);
    if (url.host === "storage.example.net") return storage(url, request.headers);
    if (request.headers.get("authorization") !== `Bearer ${WAREHOUSE_TOKEN}`) {
      return Response.json({ error: "the token is wrong" }, { status: 401 });
    }
    return api(request.method, url.pathname, await request.text());
  }) as typeof fetch);
  const seen = { requests, fetched, cancelled, shortenNextPage() {} };
  return Object.defineProperties(seen, Object.getOwnPropertyDescriptors(network)) as unknown as FakeWarehouse;
}

function jobAnswer(
  id: number,
  { id: exported, rows }: { readonly id: string; readonly rows: number },
  step: JobStep | undefined,
): Response {
  if (step === undefined) return Response.json({ id, status: "done", export: exported, rows });
  if (typeof step === "string") return Response.json({ id, status: step });
  if ("failed" in step) return Response.json({ id, status: "failed", error: step.failed });
  return Response.json(
    { error: "too many requests" },
    { status: 429, headers: { "retry-after": step.retryAfter } },
  );
}

/** CSV slices, each with a header; one without rows when there are none. */
function slicesOf(orders: readonly WarehouseOrder[], sliceRows: number): readonly Buffer[] {
  const slices: Buffer[] = [];
  for (let at = 0; at === 0 || at < orders.length; at += sliceRows) {
    const lines = orders.slice(at, at + sliceRows).map(({ id, customer, amount, updated_at }) => {
      const name = customer === null ? "" : `"${customer.replaceAll('"', '""')}"`;
      return `${id},${name},${amount},${updated_at}\n`;
    });
    slices.push(Buffer.from(`id,customer,amount,updated_at\n${lines.join("")}`));
  }
  return slices;
}

interface Part {
  readonly body: Buffer<ArrayBuffer>;
  readonly status: number;
  readonly headers: Record<string, string>;
}

function partOf(content: Buffer, etag: string, asked: Headers): Part {
  const range = /^bytes=(\d+)-$/.exec(asked.get("range") ?? "");
  const start = range !== null && (asked.get("if-range") ?? etag) === etag ? Number(range[1]) : 0;
  const body = Buffer.from(content.subarray(start));
  const headers = { etag, "content-length": String(body.length) };
  if (start === 0) return { body, status: 200, headers };
  const contentRange = `bytes ${start}-${content.length - 1}/${content.length}`;
  return { body, status: 206, headers: { ...headers, "content-range": contentRange } };
}

function cut(body: Buffer, bytes: number, { status, headers }: Part): Response {
  let isSent = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (isSent) return controller.error(Object.assign(new Error("lost"), { code: "ECONNRESET" }));
        isSent = true;
        controller.enqueue(new Uint8Array(body.subarray(0, bytes)));
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, { status, headers });
}

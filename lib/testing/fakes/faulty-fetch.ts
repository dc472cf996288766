import { formatValue, nearest } from "../../base/mod.ts";

/** One fault of a server or of the network. */
export type FetchFault =
  /** An error status; `retryAfter` is the value of the header. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  /** The connection drops before a response. */
  | { readonly kind: "reset" }
  /** The connection drops after `bytes` of the body. Default: half of it. */
  | { readonly kind: "cut body"; readonly bytes?: number }
  /**
   * The previous response of the same path is repeated, also for another query, as from a stale cache; waits for a request
   * whose path was requested before.
   */
  | { readonly kind: "repeat" };

const KINDS: readonly string[] = ["status", "reset", "cut body", "repeat"];

/** @throws RangeError for an unknown kind, which would otherwise be a successful response or an error status */
export function checkFaults(faults: readonly FetchFault[], kinds: readonly string[] = KINDS): void {
  for (const { kind } of faults) {
    if (kinds.includes(kind)) continue;
    const near = nearest(String(kind), kinds);
    const advice = near === undefined ? `the kinds are ${kinds.join(", ")}` : `did you mean ${near}?`;
    throw new RangeError(`there is no fault ${formatValue(kind)}; ${advice}`);
  }
}

/** One fault of a route; see `withFaults`. */
export type RouteFault = Exclude<FetchFault, { readonly kind: "repeat" }>;

type Fetch = typeof globalThis.fetch;

/** A request as `inject` selects it. */
export type FaultyRequest = Pick<Request, "method" | "url" | "headers">;

/** A `fetch` with injected faults. */
export interface FaultyFetch {
  /** Sends a request, or injects the next fault. */
  readonly fetch: Fetch;
  /** Injects faults into the next requests, in order, after `skip` successful ones; only into those that `matches`. */
  inject(faults: readonly FetchFault[], skip?: number, matches?: (request: FaultyRequest) => boolean): void;
  /** The number of requests. */
  readonly count: number;
  /** The number of pending faults. */
  readonly pending: number;
}

/**
 * Injects faults between a client and its server.
 *
 * @example
 * ```ts
 * import { faultyFetch } from "agnes/testing";
 * const network = faultyFetch(globalThis.fetch);
 * network.inject([{ kind: "status", status: 429, retryAfter: "1" }, { kind: "reset" }], 2);
 * // The third request gets 429, the fourth is lost, all others succeed.
 * ```
 */
export function faultyFetch(fetch: Fetch): FaultyFetch {
  let queue: readonly FetchFault[] = [];
  let skipped = 0;
  let selects: ((request: FaultyRequest) => boolean) | undefined;
  let count = 0;
  const previous = new Map<string, () => Response>();
  const faulty = async (...[input, init]: Parameters<Fetch>): Promise<Response> => {
    count += 1;
    const send = async () => (await fetch(input, init)) as Response;
    const isSelected =
      queue.length > 0 && (selects?.(new Request(input as string, init as RequestInit)) ?? true);
    const [fault, ...rest] = queue;
    const path = pathOf(input, init);
    if (isSelected && skipped === 0 && (fault!.kind !== "repeat" || previous.has(path))) {
      queue = rest;
      return fault!.kind === "repeat" ? previous.get(path)!() : misbehave(fault!, send);
    }
    if (isSelected) skipped = Math.max(0, skipped - 1);
    const response = await send();
    if (!queue.some(({ kind }) => kind === "repeat")) return response;
    // Not a clone of the stream: cancelling one of two branches waits for the other.
    const bytes = await response.arrayBuffer();
    const again = () => new Response(hasBody(response) ? bytes : null, response);
    previous.set(path, again);
    return again();
  };
  return {
    fetch: faulty as unknown as Fetch,
    inject(faults, skip = 0, matches) {
      checkFaults(faults);
      queue = [...faults];
      selects = matches;
      skipped = skip;
      previous.clear();
    },
    get count() {
      return count;
    },
    get pending() {
      return queue.length;
    },
  };
}

/** Identifies the resource; pages differ in the query only. */
function pathOf(...[input, init]: Parameters<Fetch>): string {
  const { method, url } = input instanceof Request ? input : { method: "GET", url: String(input) };
  const { origin, pathname } = new URL(url);
  return `${init?.method ?? method} ${origin}${pathname}`;
}

function hasBody({ status }: Response): boolean {
  return status !== 204 && status !== 304;
}

/** Returns or throws what the client observes of a fault. */
export async function misbehave(fault: RouteFault, send: () => Promise<Response>): Promise<Response> {
  if (fault.kind === "reset") throw lost();
  if (fault.kind === "cut body") return cut(await send(), fault.bytes);
  const headers = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
  return Response.json({ error: `injected ${fault.status}` }, { status: fault.status, headers });
}

async function cut(response: Response, sizeBytes?: number): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  let sent = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sent) return controller.error(lost());
        sent = true;
        controller.enqueue(bytes.subarray(0, sizeBytes ?? Math.floor(bytes.length / 2)));
      },
    },
    // Without read-ahead, so that the error does not overtake the bytes.
    { highWaterMark: 0 },
  );
  return new Response(hasBody(response) ? body : null, response);
}

function lost(): TypeError {
  const cause = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" });
  return new TypeError("fetch failed", { cause });
}

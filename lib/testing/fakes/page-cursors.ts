import { createHost, type Host } from "../../base/mod.ts";

/** Opaque cursors of pages. */
export interface PageCursors {
  /** Returns the cursor of an offset; `null` if there is no next page. */
  at(offset: number | null): string | null;
  /** Returns the offset of a cursor: 0 without a cursor, `null` if the cursor is unknown or expired. */
  offsetOf(cursor: string | null): number | null;
  /** Expires all cursors returned so far. */
  expire(): void;
}

/** When cursors expire. */
export interface PageCursorOptions {
  /** The lifetime in milliseconds. Default: until `expire`. */
  readonly lifetimeMs?: number;
  /** The clock of the lifetime. Default: the real one. */
  readonly clock?: Pick<Host, "now">;
}

/**
 * Creates opaque cursors for the pages of a fake API, which can expire.
 *
 * Faithful to APIs whose cursors refer to a stored position (Zendesk, HubSpot, Elasticsearch): a client cannot construct
 * them, a retry with the same cursor returns the same page, and an expired cursor is rejected instead of starting again.
 *
 * @example
 * ```ts
 * import { fakeServer, pageCursors } from "agnes/testing";
 * const cursors = pageCursors();
 * const server = fakeServer({
 *   "GET /contacts": ({ url, page }) => {
 *     const offset = cursors.offsetOf(url.searchParams.get("cursor"));
 *     if (offset === null) return Response.json({ error: "the cursor has expired" }, { status: 410 });
 *     const { rows, next } = page([{ id: 1 }, { id: 2 }], offset, 1);
 *     return Response.json({ results: rows, next: cursors.at(next) });
 *   },
 * });
 * cursors.expire(); // the read in progress fails at its next page
 * ```
 */
export function pageCursors({
  lifetimeMs = Infinity,
  clock = createHost(),
}: PageCursorOptions = {}): PageCursors {
  const issued = new Map<string, { readonly offset: number; readonly atMs: number }>();
  let count = 0;
  return {
    at(offset) {
      if (offset === null) return null;
      count += 1;
      const cursor = Buffer.from(`cursor ${count}`).toString("base64url");
      issued.set(cursor, { offset, atMs: clock.now().getTime() });
      return cursor;
    },
    offsetOf(cursor) {
      if (cursor === null) return 0;
      const found = issued.get(cursor);
      return found === undefined || clock.now().getTime() - found.atMs >= lifetimeMs ? null : found.offset;
    },
    expire: () => issued.clear(),
  };
}

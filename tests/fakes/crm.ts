import { fakeServer, type FakeRequest, type FakeServer } from "agnes/testing";

/** What the fake CRM holds. */
export interface CrmData {
  readonly contacts: readonly {
    readonly id: number;
    readonly email: string | null;
    readonly updated_at: string;
  }[];
  /** Ids of contacts that were deleted. */
  readonly deleted: readonly number[];
  readonly deals: readonly { readonly id: string; readonly amount: string; readonly contact_id: number }[];
}

/** The only token the fake CRM takes. */
export const CRM_TOKEN = "crm-5ecret+token/0123456789";

const PAGE_ROWS_MAX = 50;

/** Contacts and deals that are the same every time. */
export function crmData(contacts = 230, deals = 120): CrmData {
  return {
    contacts: Array.from({ length: contacts }, (_, at) => ({
      id: at + 1,
      email: at % 10 === 9 ? null : `person${at + 1}@example.com`,
      updated_at: new Date(Date.UTC(2026, 0, 1, 0, at * 7)).toISOString(),
    })),
    deleted: [contacts + 1, contacts + 2],
    deals: Array.from({ length: deals }, (_, at) => ({
      id: `d-${at + 1}`,
      amount: ((at * 137) % 1000) + ".50",
      contact_id: (at % contacts) + 1,
    })),
  };
}

/**
 * A small CRM as its vendor would run it: bearer tokens, at most 50 rows a page, contacts by cursor with
 * `updated_since` (inclusive) and the ids of those deleted since, deals by `Link` header, 401 and 404 as JSON.
 */
export function fakeCrm(data: CrmData = crmData()): FakeServer {
  const guarded = (route: (request: FakeRequest) => Response) => (request: FakeRequest) =>
    request.headers.get("authorization") === `Bearer ${CRM_TOKEN}`
      ? route(request)
      : Response.json({ error: { code: "unauthorized", message: "no valid token" } }, { status: 401 });
  return fakeServer({
    "GET /v1/contacts": guarded((request) => contacts(request, data)),
    "GET /v1/deals": guarded((request) => deals(request, data)),
  });
}

function contacts({ url, page }: FakeRequest, data: CrmData): Response {
  const since = url.searchParams.get("updated_since");
  const found = data.contacts
    .filter((contact) => since === null || contact.updated_at >= new Date(since).toISOString())
    .sort((a, b) => a.id - b.id);
  const cursor = url.searchParams.get("cursor");
  const from = cursor === null ? 0 : Number(Buffer.from(cursor, "base64url").toString());
  if (!Number.isSafeInteger(from)) return Response.json({ error: { code: "bad_cursor" } }, { status: 400 });
  const { rows, next } = page(found, from, limitOf(url));
  const nextCursor = next === null ? null : Buffer.from(String(next)).toString("base64url");
  // The ids come with the first page.
  const deleted = since === null || from > 0 ? [] : data.deleted;
  return Response.json({ results: rows, deleted, paging: { next: nextCursor } });
}

function deals({ url, page }: FakeRequest, data: CrmData): Response {
  const { rows, next } = page(data.deals, Number(url.searchParams.get("offset") ?? 0), limitOf(url));
  const target = new URL(url);
  target.searchParams.set("offset", String(next));
  return Response.json(rows, { headers: next === null ? {} : { link: `<${target.href}>; rel="next"` } });
}

function limitOf(url: URL): number {
  const limit = Number(url.searchParams.get("limit") ?? PAGE_ROWS_MAX);
  return Math.min(PAGE_ROWS_MAX, Number.isSafeInteger(limit) && limit > 0 ? limit : PAGE_ROWS_MAX);
}

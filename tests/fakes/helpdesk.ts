import { createHmac } from "node:crypto";

import type { PushRequest } from "agnes/kit";
import {
  fakeServer,
  pageCursors,
  rateLimited,
  type FakeRequest,
  type FakeServer,
  type PageCursors,
  type RateLimit,
} from "agnes/testing";

/** The only token of the fake helpdesk, and the secret of its webhook. */
export const HELPDESK_TOKEN = "hd-5ecret+token/0123456789";
export const HELPDESK_WEBHOOK_SECRET = "whsec-5ecret/9876543210";
export const HELPDESK_URL = "https://acme.helpdesk.example";

/** A ticket in the API. */
export interface Ticket {
  readonly id: number;
  readonly subject: string;
  readonly status: string;
  readonly requester_id: number;
  readonly updated_at: string;
}

/** A helpdesk whose tickets change. */
export interface FakeHelpdesk extends FakeServer {
  readonly cursors: PageCursors;
  /** Updates a ticket, also a deleted one, which is then restored. */
  save(ticket: Partial<Ticket> & { readonly id: number }): Ticket;
  delete(id: number): Ticket;
}

const PAGE_ROWS = 50;
const USERS = 60;

const timeOf = (minute: number) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();

/**
 * A helpdesk: bearer tokens, pages by opaque cursors, `since` (inclusive), the tickets that are deleted now, 429.
 *
 * Faithful to: incremental exports, deleted tickets and signed webhooks of Zendesk and Freshdesk.
 */
export function fakeHelpdesk(limit: RateLimit = { requests: 7, windowMs: 60_000 }): FakeHelpdesk {
  const cursors = pageCursors();
  const tickets = new Map<number, Ticket>();
  const deleted = new Map<number, Ticket>();
  let minute = 0;
  const save: FakeHelpdesk["save"] = (changes) => {
    const { id } = changes;
    const known = tickets.get(id) ?? deleted.get(id);
    const blank = { subject: `ticket ${id}`, status: "open", requester_id: (id % USERS) + 1 };
    const ticket = { ...blank, ...known, ...changes, updated_at: timeOf((minute += 1)) };
    deleted.delete(id);
    tickets.delete(id);
    tickets.set(id, ticket);
    return ticket;
  };
  for (let id = 1; id <= 170; id += 1) save({ id });
  const users = Array.from({ length: USERS }, (_, at) => ({
    id: at + 1,
    email: `person${at + 1}@example.com`,
    updated_at: timeOf(at),
  }));

  const guarded = (respond: (request: FakeRequest) => Response) => (request: FakeRequest) =>
    request.headers.get("authorization") === `Bearer ${HELPDESK_TOKEN}`
      ? respond(request)
      : Response.json({ error: "the token is wrong" }, { status: 401 });
  const listed = (rows: () => Iterable<{ readonly updated_at: string }>) =>
    guarded(({ url, page }) => {
      const since = url.searchParams.get("since") ?? "";
      const offset = cursors.offsetOf(url.searchParams.get("cursor"));
      if (offset === null) return Response.json({ error: "the cursor has expired" }, { status: 410 });
      const found = [...rows()].filter(({ updated_at }) => updated_at >= since);
      const { rows: results, next } = page(found, offset, PAGE_ROWS);
      return Response.json({ results, next: cursors.at(next) });
    });
  const routes = {
    "GET /v2/tickets": listed(() => tickets.values()),
    "GET /v2/tickets/deleted": listed(() => deleted.values()),
    "GET /v2/users": listed(() => users),
    "GET /v2/counts": guarded(() => Response.json({ tickets: tickets.size, users: users.length })),
  };
  const parts = {
    cursors,
    save,
    delete(id: number) {
      const ticket = { ...tickets.get(id)!, updated_at: timeOf((minute += 1)) };
      tickets.delete(id);
      deleted.set(id, ticket);
      return ticket;
    },
  };
  const server = fakeServer(rateLimited(routes, limit));
  return Object.defineProperties(parts, Object.getOwnPropertyDescriptors(server)) as unknown as FakeHelpdesk;
}

/** A webhook as the helpdesk signs and sends it. */
export function webhook(
  type: "ticket.saved" | "ticket.deleted",
  ticket: Ticket,
  secret: string = HELPDESK_WEBHOOK_SECRET,
): PushRequest {
  const id = `${type} ${ticket.id} ${ticket.updated_at}`;
  const body = new TextEncoder().encode(JSON.stringify({ id, type, ticket }));
  const signature = `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
  const headers = { "content-type": "application/json", "x-helpdesk-signature": signature };
  return { method: "POST", url: "https://agnes.example.com/hooks/helpdesk", headers, body };
}

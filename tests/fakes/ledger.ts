import { fakeServer, type FakeRequest, type FakeServer } from "agnes/testing";

/** The only user of the fake ledger and the password. */
export const LEDGER_USER = "reader";
export const LEDGER_PASSWORD = "l3dger-5ecret/0123456789";

/** An entry as the ledger has it; one that is not booked yet has no time. */
export interface LedgerEntry {
  readonly id: number;
  readonly account: string;
  readonly booked_at: string | null;
}

const PAGE_ROWS = 100;

/** Entries that are the same every time: one every six hours from 2026-01-01 on, each tenth not booked yet. */
export function ledgerEntries(count = 240): readonly LedgerEntry[] {
  return Array.from({ length: count }, (_, at) => ({
    id: at + 1,
    account: `account ${at % 7}`,
    booked_at: at % 10 === 9 ? null : timeText(Date.UTC(2026, 0, 1, at * 6)),
  }));
}

/** A time as the API and DuckDB write it. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

/**
 * An API over the tables of a ledger: user and password, a list of tables with their figures, none for a view, and
 * rows by page. `from` (inclusive, and rows without a time) and `until` (exclusive) choose entries by time.
 */
export function fakeLedger(
  entries: readonly LedgerEntry[] = ledgerEntries(),
  stage = "production",
): FakeServer {
  const credentials = Buffer.from(`${LEDGER_USER}:${LEDGER_PASSWORD}`).toString("base64");
  const guarded = (route: (request: FakeRequest) => Response) => (request: FakeRequest) =>
    request.headers.get("authorization") === `Basic ${credentials}`
      ? route(request)
      : Response.json({ error: "no such user" }, { status: 401 });
  const accounts = [...new Set(entries.map(({ account }) => account))];
  const balances = accounts.map((account) => ({
    account,
    entries: entries.filter((entry) => entry.account === account).length,
  }));
  return fakeServer({
    "GET /v1/tables": guarded(() => Response.json(tablesOf(entries, stage))),
    "GET /v1/tables/books.entries/rows": guarded((request) => rowsOf(request, chosen(request, entries))),
    "GET /v1/tables/books.balances/rows": guarded((request) => rowsOf(request, balances)),
  });
}

function tablesOf(entries: readonly LedgerEntry[], stage: string): readonly object[] {
  const changed_at = "2026-03-01T12:00:00Z";
  const text = { type: "TEXT", nullable: false };
  return [
    {
      id: "books.entries",
      kind: "table",
      stage,
      rows: entries.length,
      bytes: entries.length * 32,
      columns: [
        { name: "id", type: "INT8", nullable: false },
        { name: "account", ...text },
        { name: "booked_at", type: "TIMESTAMP", nullable: true },
      ],
      clustered_by: ["account"],
      changed_at,
    },
    {
      id: "books.balances",
      kind: "view",
      stage,
      columns: [
        { name: "account", ...text },
        { name: "entries", type: "INT8", nullable: true },
      ],
      clustered_by: [],
      changed_at,
    },
  ];
}

function chosen({ url }: FakeRequest, entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const from = url.searchParams.get("from") ?? "";
  const until = url.searchParams.get("until");
  return entries.filter(
    ({ booked_at: at }) =>
      (at === null ? until === null : at >= from) && (until === null || (at !== null && at < until)),
  );
}

function rowsOf({ url, page }: FakeRequest, all: readonly object[]): Response {
  return Response.json(page(all, Number(url.searchParams.get("after") ?? 0), PAGE_ROWS));
}

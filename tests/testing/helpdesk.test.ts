import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { definePlugin, type PushEvent } from "agnes/kit";
import { connectorContract, fakeHost, type ContractConfig, type RateLimit } from "agnes/testing";

import { runStream, Spool } from "../../lib/push/mod.ts";
import { discoverTables } from "../../lib/sources/mod.ts";
import { incremental, openBench, sourceOf, type Bench } from "../extract/harness.ts";
import {
  fakeHelpdesk,
  HELPDESK_TOKEN,
  HELPDESK_URL,
  HELPDESK_WEBHOOK_SECRET,
  webhook,
  type FakeHelpdesk,
} from "../fakes/helpdesk.ts";
import { connect, failureOf } from "../sources/example.ts";
import { failuresOf } from "./failures.ts";
import helpdesk from "./plugins/helpdesk.ts";

// Opens many databases, which is slow on a busy machine.
setDefaultTimeout(60_000);

const options = { url: HELPDESK_URL };
const secrets = { HELPDESK_TOKEN, HELPDESK_WEBHOOK_SECRET };
const DELETED = "read() with a cursor reports a row that was deleted in the source";

function contractConfig(): ContractConfig {
  const server = fakeHelpdesk();
  const ticket = server.save({ id: 7 });
  const forged = [webhook("ticket.saved", ticket, "another secret"), webhook("ticket.saved", ticket, "")];
  return {
    options,
    secrets,
    server,
    push: { genuine: webhook("ticket.saved", ticket), forged },
    deletion: async () => ({ table: "tickets", key: { id: server.delete(9).id } }),
  };
}

describe("helpdesk: contract", () => {
  for (const { name, run } of connectorContract(helpdesk, contractConfig())) {
    // The fault cases are slow; tests/full runs them.
    if (!name.startsWith("an extract survives ")) test(name, run);
  }
});

test("connectorContract() detects a read with a cursor that does not report deletions", async () => {
  const forgetful = definePlugin({
    ...helpdesk,
    connect(context) {
      const good = helpdesk.connect(context);
      if (good instanceof Promise) throw new Error("the helpdesk connects at once");
      return {
        ...good,
        async *read(table, request) {
          for await (const batch of good.read(table, request)) if (!("kind" in batch)) yield batch;
        },
      };
    },
  });
  expect(await failuresOf(forgetful, contractConfig(), [DELETED])).toEqual([DELETED]);
});

/** The connector through the runtime, on a clock that the rate limit shares. */
async function connected(
  limit: Omit<RateLimit, "clock"> = { requests: 1000 },
  onRequest: (path: string) => void = () => {},
) {
  const clock = fakeHost({ startsAt: new Date("2026-02-01T00:00:00Z") });
  const server = fakeHelpdesk({ ...limit, clock });
  const fetch = (async (...[input, init]: Parameters<typeof globalThis.fetch>) => {
    onRequest(new URL(new Request(input as string).url).pathname);
    return server.fetch(input, init);
  }) as typeof globalThis.fetch;
  const host = { ...clock, env: secrets, fetch };
  const { handle } = await connect(helpdesk, { options }, { host });
  const plans = (await discoverTables(handle)).map((info) => incremental(info));
  return { server, sleeps: clock.sleeps, connector: handle.connector, plans };
}

const idsOf = async (bench: Bench, condition = "true") =>
  (await bench.rows<{ id: number }>(`SELECT id::INT AS id FROM tickets WHERE ${condition} ORDER BY id`)).map(
    ({ id }) => id,
  );

const pagesOf = (server: FakeHelpdesk, path: string) =>
  server.requests.map(({ url }) => new URL(url)).filter(({ pathname }) => pathname === path);

describe("helpdesk: extract", () => {
  for (const retryAfter of ["seconds", "date"] as const) {
    test(`a sync waits as long as Retry-After requires, in the form of ${retryAfter}`, async () => {
      await using bench = await openBench();
      const limit = { requests: 1, windowMs: 90_000, retryAfter };
      const { server, sleeps, connector, plans } = await connected(limit);
      const tickets = plans.filter(({ name }) => name === "tickets");
      expect((await bench.run(tickets, connector)).errors).toEqual([]);
      expect(await idsOf(bench)).toHaveLength(170);
      // Four pages, and between them three rejected requests, each with one sufficient wait.
      expect(server.requests).toHaveLength(7);
      expect(sleeps.filter((ms) => ms > 80_000)).toHaveLength(3);
    });
  }

  test("a later sync reads only changes, removes deleted tickets and keeps restored ones", async () => {
    await using bench = await openBench();
    const { server, connector, plans } = await connected();
    await bench.run(plans, connector);
    server.delete(3);
    server.delete(4);
    server.save({ id: 4, status: "reopened" });
    server.save({ id: 171 });
    const before = pagesOf(server, "/v2/tickets").length;
    expect((await bench.run(plans, connector)).errors).toEqual([]);
    expect(await idsOf(bench, "id IN (3, 4, 5, 171)")).toEqual([4, 5, 171]);
    expect(await idsOf(bench, "status = 'reopened'")).toEqual([4]);
    const [page, ...others] = pagesOf(server, "/v2/tickets").slice(before);
    expect(others).toEqual([]);
    expect(page!.searchParams.get("since")).toBe("2026-01-01T02:50:00.000Z");
  });

  test("a ticket that is deleted during a read is removed, although the cursor moves past its deletion", async () => {
    await using bench = await openBench();
    let onTickets = () => {};
    const { server, connector, plans } = await connected({ requests: 1000 }, (path) => {
      if (path === "/v2/tickets") onTickets();
    });
    await bench.run(plans, connector);
    onTickets = () => {
      onTickets = () => {};
      server.delete(50);
      server.save({ id: 51 });
    };
    await bench.run(plans, connector);
    await bench.run(plans, connector);
    expect(await idsOf(bench, "id IN (50, 51)")).toEqual([51]);
  });

  test("an expired cursor fails the table only, and the next sync starts from the published cursor", async () => {
    await using bench = await openBench();
    const { server, connector, plans } = await connected();
    await bench.run(plans, connector);
    for (let id = 200; id < 320; id += 1) server.save({ id });
    const read = connector.read!;
    const slow = {
      ...connector,
      async *read(...parameters: Parameters<typeof read>) {
        for await (const batch of read(...parameters)) {
          yield batch;
          if (parameters[0].name === "tickets") server.cursors.expire();
        }
      },
    };
    const { errors } = await bench.run(plans, slow);
    expect(errors.map(({ table }) => table)).toEqual(["tickets"]);
    expect(errors[0]!.error.message).toContain("410");
    expect(await idsOf(bench)).toHaveLength(170);
    expect((await bench.run(plans, connector)).errors).toEqual([]);
    expect(await idsOf(bench)).toHaveLength(290);
  });

  test("webhooks change the tickets that an extract published", async () => {
    await using bench = await openBench();
    const { server, connector, plans } = await connected();
    await bench.run(plans, connector);
    const saved = webhook("ticket.saved", server.save({ id: 300, subject: "from a webhook" }));
    const deleted = webhook("ticket.deleted", server.delete(12));
    const events: PushEvent[] = [];
    for (const request of [saved, deleted, saved]) events.push(...(await connector.verify!(request)));
    await new Spool(bench.services.host, bench.directory).append(events);
    const stats = await runStream(bench.services, {
      directory: bench.directory,
      source: sourceOf(connector),
      tables: plans,
    });
    expect(stats).toMatchObject({ events: 2, replayed: 1, upserts: 1, deletes: 1, errors: [] });
    expect(await idsOf(bench, "id IN (11, 12, 300)")).toEqual([11, 300]);
  });

  test("verify() rejects every webhook if the secret is not set", async () => {
    const host = { env: { HELPDESK_TOKEN } };
    const { handle } = await connect(helpdesk, { options }, { host });
    const ticket = fakeHelpdesk().save({ id: 1 });
    for (const secret of ["", HELPDESK_WEBHOOK_SECRET])
      expect(
        String(await failureOf(handle.connector.verify!(webhook("ticket.saved", ticket, secret)))),
      ).toContain("HELPDESK_WEBHOOK_SECRET");
  });
});

import { createHash } from "node:crypto";

import {
  fakeServer,
  scriptedJob,
  signedSlices,
  withFaults,
  type FakeRoute,
  type FakeServer,
  type JobScript,
  type RouteFault,
  type ScriptedJob,
  type SignedSlices,
} from "agnes/testing";

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
export interface WarehouseScript extends Pick<JobScript, "polls"> {
  /** Why every job fails. Default: none does. */
  readonly failure?: string;
  /** The number of requests that one link accepts. Default: no limit. */
  readonly maxUses?: number;
  /** The fault of the n-th request for a slice, from 1; it may rewrite slices. Default: none. */
  readonly slice?: (n: number, name: string, slices: SignedSlices) => RouteFault | undefined;
  /** Whether the storage has ranges. Default: `true`. */
  readonly ranges?: boolean;
}

/** A warehouse, with its job and its storage. */
export interface FakeWarehouse extends FakeServer {
  readonly job: ScriptedJob;
  readonly slices: SignedSlices;
}

const SLICE_ROWS = 40;

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
 * An API that exports tables by `scriptedJob` and returns links of `signedSlices`.
 *
 * Faithful to: one export for the same request while nothing changed (Keboola), 401 as JSON.
 */
export function fakeWarehouse(
  orders: readonly WarehouseOrder[] = warehouseOrders(),
  script: WarehouseScript = {},
): FakeWarehouse {
  const { polls = [{ status: "waiting" }, { status: "running" }], failure, maxUses = Infinity } = script;
  const slices = signedSlices({ maxUses, ranges: script.ranges ?? true });
  const job = scriptedJob({
    polls,
    result({ request: { body } }) {
      if (failure !== undefined) return { status: "failed", error: failure };
      const { changedSince = "1970-01-01" } = JSON.parse(body) as { changedSince?: string };
      const rows = orders.filter((order) => Date.parse(`${order.updated_at}Z`) >= Date.parse(changedSince));
      const id = createHash("sha256").update(`${changedSince}/${orders.length}`).digest("hex").slice(0, 8);
      if (slices.list(`${id}/`).length === 0) writeSlices(slices, id, rows);
      return { status: "done", export: id, rows: rows.length };
    },
  });
  const guarded =
    (route: FakeRoute): FakeRoute =>
    (request) =>
      request.headers.get("authorization") === `Bearer ${WAREHOUSE_TOKEN}`
        ? route(request)
        : Response.json({ error: "the token is wrong" }, { status: 401 });
  const server = fakeServer({
    "POST /v1/tables/orders/export": guarded(job.start),
    "GET /v1/jobs/:id": guarded(job.poll),
    "DELETE /v1/jobs/:id": guarded(job.cancel),
    "GET /v1/exports/:id": guarded(({ params }) =>
      Response.json({ slices: slices.list(`${params["id"]}/`) }),
    ),
    ...Object.fromEntries(
      Object.entries(slices.routes).map(([key, route]) => [
        key,
        withFaults(route, (n, { params }) => script.slice?.(n, params["*"]!, slices)),
      ]),
    ),
  });
  return Object.defineProperties({ job, slices }, Object.getOwnPropertyDescriptors(server)) as FakeWarehouse;
}

/** Writes CSV slices, each with a header; one without rows if there are none. */
function writeSlices(slices: SignedSlices, id: string, orders: readonly WarehouseOrder[]): void {
  for (let at = 0; at === 0 || at < orders.length; at += SLICE_ROWS) {
    const lines = orders.slice(at, at + SLICE_ROWS).map(({ id, customer, amount, updated_at }) => {
      const name = customer === null ? "" : `"${customer.replaceAll('"', '""')}"`;
      return `${id},${name},${amount},${updated_at}\n`;
    });
    slices.write(`${id}/${at / SLICE_ROWS}.csv`, `id,customer,amount,updated_at\n${lines.join("")}`);
  }
}

import { describe, expect, test } from "bun:test";

import { fakeKeboola, type FileProvider, type KeboolaFault, type KeboolaStep } from "../fakes/keboola/mod.ts";
import { sampleProject } from "./project.ts";
import { errorsOf, exportsOf, openProject } from "./support.ts";

const ORDERS = { "in.c-crm.orders": {} };
const count = "SELECT count(*)::INT AS rows FROM orders";

/** A fault of the nth request of a step. */
const once =
  (step: KeboolaStep, fault: KeboolaFault, n = 1) =>
  (found: KeboolaStep, at: number) =>
    found === step && at === n ? fault : undefined;

describe("a sync", () => {
  const steps: readonly KeboolaStep[] = [
    "verify",
    "buckets",
    "tables",
    "table",
    "export",
    "job",
    "file",
    "manifest",
    "slice",
  ];
  test("waits for maintenance at every step as long as the stack says", async () => {
    const met = new Set<KeboolaStep>();
    const keboola = sampleProject({
      sliceRows: 45,
      onRequest(step) {
        if (met.has(step)) return undefined;
        met.add(step);
        return { kind: "maintenance" };
      },
    });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
    expect(await project.rows(count)).toEqual([{ rows: 90 }]);
    expect([...met].toSorted()).toEqual(steps.toSorted());
    expect(project.host.sleeps.filter((ms) => ms >= 559_000 && ms < 600_000).length).toBeGreaterThan(7);
  });

  test("does not repeat a request that the stack cannot serve", async () => {
    const keboola = sampleProject({ onRequest: once("table", { kind: "status", status: 501 }) });
    await using project = await openProject(keboola);
    const stats = await project.sync(ORDERS);
    expect(errorsOf(stats)[0]).toStartWith(
      "orders: keboola/request_refused: Keboola rejected table in.c-crm.orders",
    );
    expect(keboola.requestsOf("table")).toHaveLength(1);
  });

  test("names the job that failed, and starts another export next time", async () => {
    const keboola = sampleProject({
      onRequest: once("job", { kind: "job error", message: "out of memory" }),
    });
    await using project = await openProject(keboola);
    const stats = await project.sync(ORDERS);
    const job = keboola.jobs[0]!.id;
    expect(errorsOf(stats)).toEqual([
      `orders: keboola/export_failed: job ${job}, the export of "in.c-crm.orders", failed in Keboola: out of memory`,
    ]);
    expect(keboola.jobs).toHaveLength(1);
    await project.reconnect();
    expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
    expect(keboola.jobs).toHaveLength(2);
  });

  test("starts another export if a job that an earlier run started has disappeared", async () => {
    const keboola = sampleProject({ onRequest: once("job", { kind: "status", status: 501 }) });
    await using project = await openProject(keboola);
    expect((await project.sync(ORDERS)).tablesFailed).toBe(1);
    keboola.onRequest(once("job", { kind: "job lost" }, 2));
    expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
    expect(keboola.jobs).toHaveLength(2);
  });

  test("fails if a job that it started itself has disappeared", async () => {
    const keboola = sampleProject({ onRequest: once("job", { kind: "job lost" }) });
    await using project = await openProject(keboola);
    const stats = await project.sync(ORDERS);
    expect(errorsOf(stats)[0]).toContain("keboola/export_lost");
    expect(stats.errors[0]!.error.retry).toBe("transient");
  });

  test("continues when the response to the start of an export is lost", async () => {
    const keboola = sampleProject({ onRequest: once("export", { kind: "lost response" }) });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
    // The export whose response was lost has run too; it changes nothing.
    expect(keboola.jobs).toHaveLength(2);
  });

  for (const provider of ["https", "aws", "azure", "gcp"] as readonly FileProvider[]) {
    test(`renews the credentials of ${provider} that expire during a download, once for all slices`, async () => {
      const keboola = sampleProject({ provider, sliceRows: 5, keyPrefix: "exp 15/ä+b'(c)&d" });
      let isExpired = false;
      keboola.onRequest((step, n) => {
        if (step === "slice" && n === 6 && !isExpired) {
          isExpired = true;
          keboola.expireCredentials();
        }
        return undefined;
      });
      await using project = await openProject(keboola);
      expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
      expect(await project.rows(count)).toEqual([{ rows: 90 }]);
      expect(isExpired).toBe(true);
      // The manifest of plain links holds signed links, which only a new manifest renews.
      expect(keboola.requestsOf("file").length).toBeLessThanOrEqual(3);
      expect(keboola.leaks).toEqual([]);
    });
  }

  test("polls a job at the path that the stack gives, on the stack itself", async () => {
    const keboola = sampleProject({
      jobUrl: (id) => `https://internal.keboola.test/v2/storage/branch/5/jobs/${id}`,
    });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
    expect(keboola.requestsOf("job")[0]!.url).toContain(`${keboola.stack}/v2/storage/branch/5/jobs/`);
  });

  test("asks for CSV once a stack has refused Parquet", async () => {
    const keboola = sampleProject({ parquet: false });
    await using project = await openProject(keboola);
    expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
    expect(errorsOf(await project.sync({ "in.c-crm.payments": {} }))).toEqual([]);
    expect(exportsOf(keboola).map(({ fileType, gzip }) => [fileType, gzip])).toEqual([
      ["parquet", undefined],
      ["csv", true],
      ["csv", true],
    ]);
  });

  test("never has more jobs than the project allows, nor more than eight open downloads", async () => {
    const keboola = fakeKeboola({ jobsParallelism: 2, sliceRows: 3 });
    const names = Array.from({ length: 20 }, (_, at) => `in.c-crm.t${at}`);
    for (const name of names)
      keboola.storage.createTable(name, {
        columns: ["id"],
        rows: Array.from({ length: 12 }, (_, at) => ({ id: String(at) })),
      });
    await using project = await openProject(keboola);
    const tables = await project.tables();
    const reads = await Promise.all(names.map((name) => project.read(tables.get(name)!)));
    expect(reads.map(({ chunks }) => chunks.length)).toEqual(names.map(() => 4));
    expect(keboola.unfinishedJobsMax).toBe(2);
    expect(keboola.openSlicesMax).toBeLessThanOrEqual(8);
  });

  test("names what is wrong with the token and the table", async () => {
    const keboola = sampleProject();
    await using project = await openProject(keboola);
    const failing = async (hook: ReturnType<typeof once>) => {
      keboola.onRequest(hook);
      await project.reconnect();
      const stats = await project.sync(ORDERS).catch((error: Error) => error);
      keboola.onRequest(undefined);
      return stats instanceof Error ? String((stats as { code?: unknown }).code) : errorsOf(stats)[0]!;
    };
    let table = 0;
    const at = (status: number) => (step: KeboolaStep) => {
      if (step !== "table") return undefined;
      table += 1;
      return { kind: "status", status } as const;
    };
    expect(await failing(at(401))).toContain("keboola/token_rejected");
    expect(await failing(at(403))).toContain("may not read table in.c-crm.orders");
    expect(await failing(at(404))).toContain(
      'keboola/table_missing: the project has no table "in.c-crm.orders"',
    );
    expect(await failing(at(422))).toContain("keboola/request_refused");
    expect(table).toBe(4);
    expect(await failing(at(500))).toMatch(
      /keboola\/unavailable: the request to Keboola for table in\.c-crm\.orders failed: .* responded with status 500/,
    );
    expect(table).toBe(10);
    expect(await failing((step) => (step === "verify" ? { kind: "status", status: 401 } : undefined))).toBe(
      "keboola/token_rejected",
    );
  });

  test("names the table whose files cannot be downloaded, and continues next time", async () => {
    for (const step of ["manifest", "slice"] as const) {
      const keboola = sampleProject({ sliceRows: 30 });
      keboola.onRequest((found) => (found === step ? { kind: "reset" } : undefined));
      await using project = await openProject(keboola);
      const stats = await project.sync(ORDERS);
      expect(errorsOf(stats)[0]).toContain("keboola/unavailable");
      expect(errorsOf(stats)[0]).toContain("a file of the export of in.c-crm.orders");
      expect(stats.errors[0]!.error.retry).toBe("transient");
      keboola.onRequest(undefined);
      await project.reconnect();
      expect(errorsOf(await project.sync(ORDERS))).toEqual([]);
      expect(keboola.jobs).toHaveLength(1);
    }
  });

  test("writes no token, signature or link to logs and errors", async () => {
    for (const provider of ["https", "aws", "azure", "gcp"] as const) {
      const keboola = sampleProject({ provider, sliceRows: 30 });
      keboola.onRequest((step, n) => {
        if (step === "slice") return { kind: "status", status: 403 };
        return n === 1 ? { kind: "status", status: 500 } : undefined;
      });
      await using project = await openProject(keboola);
      const stats = await project.sync(ORDERS);
      expect(errorsOf(stats)[0]).toContain("keboola/file_refused");
      const { error } = stats.errors[0]!;
      const all = JSON.stringify([project.log.entries, errorsOf(stats), String(error.cause), error]);
      const secrets = keboola.requests.flatMap(({ url }) => [...new URL(url).searchParams.values()]);
      for (const secret of [keboola.token, ...secrets.filter((one) => one.length > 20)]) {
        expect(all).not.toContain(secret);
        expect(all).not.toContain(encodeURIComponent(secret));
      }
      for (const name of ["sig=", "X-Amz-Signature=", "ya29", "Bearer "]) expect(all).not.toContain(name);
    }
  });
});

import { Counter, Gauge, Histogram, Registry } from "prom-client";

import { readRebuildReport } from "../../analytics/mod.ts";
import { isAgnesError, withDeadline, type Host } from "../../base/mod.ts";
import type { EncodedRequest, EncodedResult } from "../../query/mod.ts";
import type { PushReport, PushRequest } from "../../write-back/mod.ts";
import type { ServedWorkspace } from "../workspace.ts";

interface Services {
  readonly host: Host;
  readonly workspace: ServedWorkspace;
}
type Outcome = "ok" | "stopped" | "timed_out" | "rejected" | "failed";

const READ_TIMEOUT_MS = 2_000;
const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
const BUCKETS_SECONDS = [0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 60];

/** A finished request. The route is its pattern, so that the number of series is bounded. */
interface FinishedRequest {
  readonly route: string;
  readonly method: string;
  readonly status: number;
  /** Until the response starts. */
  readonly durationMs: number;
}

/** The metrics of one server, in a registry of its own. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = this.#counter("agnes_requests_total", "Requests", ["route", "method", "status"]);
  readonly #durations = new Histogram({
    name: "agnes_request_duration_seconds",
    help: "Time until the response of a request starts",
    labelNames: ["route", "method"],
    buckets: BUCKETS_SECONDS,
    registers: [this.#registry],
  });
  readonly #queries = this.#counter("agnes_queries_total", "Finished queries, scans and pushes", ["outcome"]);
  readonly #bytes = this.#counter("agnes_query_result_bytes_total", "Bytes of query results sent", []);
  readonly #running: Gauge;
  /** Those of the latest workspace. */
  #services: Services | null = null;

  constructor() {
    this.#running = this.#gauge(
      "agnes_queries_running",
      "Queries whose results are not read to the end, and pushes",
      null,
    );
    this.#gauge(
      "agnes_queries_waiting",
      "Queries that wait for a worker process",
      async ({ workspace }) => workspace.workers()?.waiting ?? 0,
    );
    this.#gauge(
      "agnes_resident_memory_bytes",
      "Resident memory of the server, without its workers",
      async () => process.memoryUsage.rss(),
    );
    this.#gauge("agnes_tables_published", "Published tables", async ({ host, workspace }) => {
      const report = await readRebuildReport(host, workspace.workspace.dataDirectory);
      return report?.published.length ?? 0;
    });
    this.#gauge("agnes_registry_version", "Version of the table registry", async ({ workspace }) =>
      (await workspace.tables()).version(),
    );
    this.#sourceGauge();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Returns the metrics in the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Counts a request. */
  finished({ route, method, status, durationMs }: FinishedRequest): void {
    const labels = { route, method: METHODS.has(method) ? method : "other" };
    this.#requests.inc({ ...labels, status });
    this.#durations.observe(labels, durationMs / 1000);
  }

  /** A workspace whose queries are counted. From now on the other metrics are of this workspace. */
  metered(services: Services): ServedWorkspace {
    this.#services = services;
    const { workspace } = services;
    return {
      ...workspace,
      encodeQuery: (request) => this.#encodeQuery(workspace, request),
      push: (request) => this.#push(workspace, request),
    };
  }

  async #push(workspace: ServedWorkspace, request: PushRequest): Promise<PushReport> {
    const finish = this.#started();
    try {
      const report = await workspace.push(request);
      finish("ok");
      return report;
    } catch (error) {
      finish(outcomeOf(error));
      throw error;
    }
  }

  /** Counts a query that starts. @returns counts its end; only the first call has an effect */
  #started(): (outcome: Outcome) => void {
    this.#running.inc();
    let isFinished = false;
    return (outcome) => {
      if (isFinished) return;
      isFinished = true;
      this.#running.dec();
      this.#queries.inc({ outcome });
    };
  }

  async #encodeQuery(workspace: ServedWorkspace, request: EncodedRequest): Promise<EncodedResult> {
    const finish = this.#started();
    try {
      const result = await workspace.encodeQuery(request);
      return {
        bytes: this.#counted(result.bytes, finish),
        receipt: () => result.receipt(),
        close: async () => {
          finish("stopped");
          await result.close();
        },
      };
    } catch (error) {
      finish(outcomeOf(error));
      throw error;
    }
  }

  async *#counted(bytes: AsyncIterable<Uint8Array>, finish: (outcome: Outcome) => void) {
    try {
      for await (const piece of bytes) {
        this.#bytes.inc(piece.byteLength);
        yield piece;
      }
      finish("ok");
    } catch (error) {
      finish(outcomeOf(error));
      throw error;
    } finally {
      finish("stopped");
    }
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[]): Counter<T> {
    return new Counter({ name, help, labelNames: [...labelNames], registers: [this.#registry] });
  }

  /** Whether each source was ready at its last check. Sources of unknown health have no value. */
  #sourceGauge(): void {
    const gauge: Gauge<"source"> = new Gauge({
      name: "agnes_source_healthy",
      help: "1: the last health check of the source succeeded; 0: it failed",
      labelNames: ["source"],
      registers: [this.#registry],
      collect: async () => {
        gauge.reset();
        const health = await withDeadline("reading the health", { timeoutMs: READ_TIMEOUT_MS }, () =>
          this.#services!.workspace.health.last(),
        ).catch(absent);
        for (const { source, state } of health ?? [])
          if (state !== "unknown") gauge.set({ source }, state === "ok" ? 1 : 0);
      },
    });
  }

  /** @param read reads the value when it is asked for; if it fails, the metric has no value */
  #gauge(name: string, help: string, read: ((services: Services) => Promise<number>) | null): Gauge {
    const current = () => this.#services!;
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.#registry],
      ...(read !== null && {
        async collect() {
          try {
            gauge.set(
              await withDeadline(`reading ${name}`, { timeoutMs: READ_TIMEOUT_MS }, () => read(current())),
            );
          } catch (error) {
            absent(error);
            gauge.remove();
          }
        },
      }),
    });
    return gauge;
  }
}

/** A metric that cannot be read has no value. */
function absent(error: unknown): null {
  if (!isAgnesError(error)) throw error;
  return null;
}

function outcomeOf(error: unknown): Outcome {
  if (isAgnesError(error, "timed_out")) return "timed_out";
  if (isAgnesError(error, "aborted")) return "stopped";
  return isAgnesError(error) && error.status < 500 ? "rejected" : "failed";
}

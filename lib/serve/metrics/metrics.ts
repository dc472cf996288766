import { Counter, Gauge, Histogram, Registry } from "prom-client";

import { readRebuildReport } from "../../analytics/mod.ts";
import { isAgnesError, withDeadline, type Host } from "../../base/mod.ts";
import type { EncodedRequest, EncodedResult } from "../../query/mod.ts";
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
  readonly #queries = this.#counter("agnes_queries_total", "Finished queries", ["outcome"]);
  readonly #bytes = this.#counter("agnes_query_result_bytes_total", "Bytes of query results sent", []);
  readonly #running: Gauge;

  constructor({ host, workspace }: Services) {
    this.#running = this.#gauge(
      "agnes_queries_running",
      "Queries whose results are not read to the end",
      null,
    );
    this.#gauge(
      "agnes_queries_waiting",
      "Queries that wait for a worker process",
      async () => workspace.workers()?.waiting ?? 0,
    );
    this.#gauge(
      "agnes_resident_memory_bytes",
      "Resident memory of the server, without its workers",
      async () => process.memoryUsage.rss(),
    );
    this.#gauge("agnes_tables_published", "Published tables", async () => {
      const report = await readRebuildReport(host, workspace.workspace.dataDirectory);
      return report?.published.length ?? 0;
    });
    this.#gauge("agnes_registry_version", "Version of the table registry", async () =>
      (await workspace.tables()).version(),
    );
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

  /** A workspace whose queries are counted. */
  metered(workspace: ServedWorkspace): ServedWorkspace {
    return { ...workspace, encodeQuery: (request) => this.#encodeQuery(workspace, request) };
  }

  async #encodeQuery(workspace: ServedWorkspace, request: EncodedRequest): Promise<EncodedResult> {
    this.#running.inc();
    let isFinished = false;
    const finish = (outcome: Outcome) => {
      if (isFinished) return;
      isFinished = true;
      this.#running.dec();
      this.#queries.inc({ outcome });
    };
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

  /** @param read reads the value when it is asked for; if it fails, the metric has no value */
  #gauge(name: string, help: string, read: (() => Promise<number>) | null): Gauge {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.#registry],
      ...(read !== null && {
        async collect() {
          try {
            gauge.set(await withDeadline(`reading ${name}`, { timeoutMs: READ_TIMEOUT_MS }, read));
          } catch (error) {
            if (!isAgnesError(error)) throw error;
            gauge.remove();
          }
        },
      }),
    });
    return gauge;
  }
}

function outcomeOf(error: unknown): Outcome {
  if (isAgnesError(error, "timed_out")) return "timed_out";
  if (isAgnesError(error, "aborted")) return "stopped";
  return isAgnesError(error) && error.status < 500 ? "rejected" : "failed";
}

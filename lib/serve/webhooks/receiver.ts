import {
  AgnesError,
  causesOf,
  isAgnesError,
  messageOf,
  withDeadline,
  type Host,
  type Log,
} from "../../base/mod.ts";
import type { PushEvent, PushRequest } from "../../kit/mod.ts";
import { Spool, spoolCounts } from "../../push/mod.ts";
import { dataPaths } from "../../workspace/mod.ts";
import type { ServedWorkspace } from "../workspace.ts";
import { OpenedSources } from "./opened-sources.ts";

const OPEN_TIMEOUT_MS = 20_000;
const VERIFY_TIMEOUT_MS = 10_000;
const HEALTH_TIMEOUT_MS = 2_000;

/** The errors of parsing a request, and of events without an id. */
const MALFORMED = new Set(["SyntaxError", "TypeError", "RangeError", "ValiError"]);

interface Services {
  readonly host: Host;
  readonly log: Log;
  readonly workspace: ServedWorkspace;
}

/** The state of a source that receives requests. */
interface WebhookHealth {
  readonly source: string;
  /** `unavailable`: a secret of the source is not set, so all requests are rejected. */
  readonly status: "ok" | "unavailable";
  /** Events on disk that wait for a sync; null: not counted in time. */
  readonly spooled_events: number | null;
  /** ISO 8601; null: none that this process knows of. */
  readonly last_received_at: string | null;
}

/** Receives the requests of sources: verifies them and makes their events durable. */
export class WebhookReceiver {
  readonly #services: Services;
  readonly #sources: OpenedSources;
  /** One per source, so that requests at the same time share files. */
  readonly #spools = new Map<string, Spool>();
  readonly #receivedAt = new Map<string, Date>();

  constructor(services: Services) {
    this.#services = services;
    const { connectors } = services.workspace;
    this.#sources = new OpenedSources(services.host, (source) =>
      withDeadline(`opening source ${source}`, { timeoutMs: OPEN_TIMEOUT_MS }, (signal) =>
        connectors.open(source, { signal }),
      ),
    );
  }

  /** @throws `webhook_unknown` if no such source receives requests */
  checkSource(source: string): void {
    const { plugins, workspace } = this.#services.workspace;
    const { sources } = workspace.config;
    const config = Object.hasOwn(sources, source) ? sources[source] : undefined;
    const plugin = plugins.list().find(({ name }) => name === config?.plugin);
    if (plugin?.capabilities.includes("stream") !== true) throw new AgnesError("webhook_unknown", {});
  }

  /** The only source whose plugin has this name. @throws `webhook_unknown` */
  onlySourceOf(plugin: string): string {
    const { sources } = this.#services.workspace.workspace.config;
    const found = Object.keys(sources).filter((source) => sources[source]!.plugin === plugin);
    if (found.length !== 1) throw new AgnesError("webhook_unknown", {});
    return found[0]!;
  }

  /**
   * Verifies a request and makes its events durable.
   * @returns the number of events
   * @throws `webhook_unknown`, `webhook_rejected`, `webhook_malformed`, `webhook_unavailable`, `webhook_not_stored`
   */
  async receive(source: string, request: PushRequest): Promise<number> {
    this.checkSource(source);
    const events = await this.#verify(source, request);
    const { host, log } = this.#services;
    try {
      await this.#spoolOf(source).append(events);
    } catch (error) {
      log.error("the events of a pushed request could not be stored", { source, reason: messageOf(error) });
      throw new AgnesError("webhook_not_stored", { source }, { cause: error });
    }
    this.#receivedAt.set(source, host.now());
    return events.length;
  }

  /** Returns the state of a source, without a request to it. @throws `webhook_unknown` */
  async health(source: string): Promise<WebhookHealth> {
    this.checkSource(source);
    const { host } = this.#services;
    const counting = withDeadline("counting the events", { timeoutMs: HEALTH_TIMEOUT_MS }, () =>
      spoolCounts(host, this.#directoryOf(source)),
    );
    const counts = await counting.catch((error: unknown) => {
      if (isAgnesError(error)) return null;
      throw error;
    });
    const receivedAt = this.#receivedAt.get(source) ?? counts?.newestAt ?? null;
    return {
      source,
      status: this.#hasSecrets(source) ? "ok" : "unavailable",
      spooled_events: counts?.events ?? null,
      last_received_at: receivedAt?.toISOString() ?? null,
    };
  }

  close(): Promise<void> {
    return this.#sources.close();
  }

  async #verify(source: string, request: PushRequest): Promise<readonly PushEvent[]> {
    let isOpen = false;
    try {
      return await this.#sources.use(source, ({ connector }) => {
        isOpen = true;
        return withDeadline("verifying the request", { timeoutMs: VERIFY_TIMEOUT_MS }, () =>
          connector.verify!(request),
        );
      });
    } catch (error) {
      const code = isOpen ? rejectionOf(error) : "webhook_unavailable";
      const level = code === "webhook_unavailable" ? "error" : "info";
      this.#services.log[level]("a pushed request was not accepted", {
        source,
        code,
        reason: messageOf(error),
      });
      throw new AgnesError(code, { source }, { cause: error });
    }
  }

  #hasSecrets(source: string): boolean {
    const { host, workspace } = this.#services;
    const config = workspace.workspace.config.sources[source]!;
    return Object.entries(workspace.plugins.get(config.plugin).secrets).every(
      ([name, { required }]) => required !== true || (host.env[config.secrets[name] ?? name] ?? "") !== "",
    );
  }

  #spoolOf(source: string): Spool {
    const spool = this.#spools.get(source) ?? new Spool(this.#services.host, this.#directoryOf(source));
    this.#spools.set(source, spool);
    return spool;
  }

  #directoryOf(source: string): string {
    return dataPaths.extract(this.#services.workspace.workspace.dataDirectory, source);
  }
}

/** What a failed verification means. Everything that is not clearly something else counts as a wrong signature. */
function rejectionOf(error: unknown) {
  const causes = causesOf(error);
  if (causes.some((cause) => cause instanceof Error && MALFORMED.has(cause.name))) return "webhook_malformed";
  if (isAgnesError(error) && (error.retry === "transient" || isAgnesError(error, "timed_out")))
    return "webhook_unavailable";
  return "webhook_rejected";
}

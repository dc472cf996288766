import { receivedError } from "../../../base/mod.ts";
import type { SourceHandle, LiveResolver, LiveTable } from "../../../sources/mod.ts";
import type { AnyPlugin, QueryArray, SourceResult } from "../../../kit/mod.ts";
import type { SourceTable } from "../../hybrid/mod.ts";
import type { HybridSources } from "../../hybrid/types.ts";
import type { ParentCalls } from "./ask.ts";
import {
  receivedEstimate,
  receivedRequest,
  receivedSchema,
  sentKeys,
  sentRequest,
  type SentEstimate,
  type SentPlugin,
  type SentRecord,
  type SentRequest,
  type SentTable,
} from "./messages.ts";

/** Reads remote tables through the parent of this worker process. */
export function parentTables(calls: ParentCalls): LiveResolver {
  return async ({ source, name }): Promise<LiveTable | null> => {
    const found = await calls.ask<SentTable | null>({ kind: "resolve", source, name });
    if (found === null) return null;
    const { table, schema, rows } = found;
    return {
      schema: receivedSchema(schema),
      ...(rows === null ? {} : { rows }),
      async narrow(request) {
        const sent = sentRequest(request);
        const narrowed = await calls.ask<SentRequest>({ kind: "narrow", table, request: sent });
        // A query recognizes its conditions among those that remain.
        const texts = sent.filter.map((one) => JSON.stringify(one));
        const own = (one: SentRequest["filter"][number]) =>
          request.filter[texts.indexOf(JSON.stringify(one))];
        const received = receivedRequest(narrowed);
        const filter = received.filter.map((one, at) => own(narrowed.filter[at]!) ?? one);
        return { ...received, filter };
      },
      async *open(request, signal, { onJob } = {}) {
        const ask = { kind: "read", table, request: sentRequest(request) } as const;
        yield* (await calls.rows(ask, { signal, onJob })).batches;
      },
    };
  };
}

/** Runs the queries of `register` through the parent of this worker process. */
export class ParentSources implements HybridSources {
  readonly isPerAlias = true;
  readonly #calls: ParentCalls;
  /** The plugins of the sources of the current query. */
  plugins: Readonly<Record<string, SentPlugin>> = {};

  constructor(calls: ParentCalls) {
    this.#calls = calls;
  }

  pluginOf(source: string): Pick<AnyPlugin, "name" | "capabilities"> {
    const plugin = this.plugins[source]!;
    if ("error" in plugin) throw receivedError(plugin.error);
    return plugin as Pick<AnyPlugin, "name" | "capabilities">;
  }

  async tables(): Promise<readonly SourceTable[]> {
    return (await this.#calls.ask<readonly SentRecord[]>({ kind: "tables" })) as readonly SourceTable[];
  }

  async open(source: string, signal: AbortSignal, alias: string): Promise<SourceHandle> {
    const calls = this.#calls;
    await calls.ask<null>({ kind: "open", alias }, { signal });
    const connector: Pick<SourceHandle["connector"], "estimate" | "query"> = {
      async estimate(_sql, { signal: stop, parameters }) {
        const keys = parameters?.["keys"] as QueryArray | undefined;
        const ask = { kind: "estimate", alias, keys: keys === undefined ? null : sentKeys(keys) } as const;
        return receivedEstimate(await calls.ask<SentEstimate>(ask, { signal: stop }));
      },
      async query(_sql, { signal: stop, onJob }): Promise<SourceResult> {
        const { value, batches } = await calls.rows<string>({ kind: "run", alias }, { signal: stop, onJob });
        return { schema: receivedSchema(value), batches };
      },
    };
    const close = async () => calls.ask<null>({ kind: "close" }).then(() => {});
    return {
      name: source,
      connector,
      // The parent has the secrets, and sends none.
      secrets: [],
      close,
      [Symbol.asyncDispose]: close,
    } as Partial<SourceHandle> as SourceHandle;
  }
}

import { createHost, createLog, type Host, type LogEntry } from "../../lib/base/mod.ts";
import type { AnyConnector, AnyPlugin, DuckDBEngine } from "../../lib/kit/mod.ts";
import { createPluginRegistry } from "../../lib/plugins/mod.ts";
import { connectSource, type SourceHandle } from "../../lib/sources/mod.ts";
import type { SourceToConnect } from "../../lib/sources/prepare-source.ts";
import { plugin } from "../plugins/example.ts";

const noEngine: DuckDBEngine = {
  describe: () => Promise.reject(new Error("no engine")),
  inspect: () => Promise.reject(new Error("no engine")),
  query: () => Promise.reject(new Error("no engine")),
};

export interface Connected {
  readonly handle: SourceHandle;
  readonly log: readonly LogEntry[];
}

/** Connects a plugin as source `s`. */
export async function connect(
  used: AnyPlugin,
  config: Partial<SourceToConnect> = {},
  options: { readonly host?: Partial<Host>; readonly signal?: AbortSignal; readonly timeoutMs?: number } = {},
): Promise<Connected> {
  const log: LogEntry[] = [];
  const { host, ...limits } = options;
  const services = {
    host: createHost({ env: {}, ...host }),
    log: createLog((entry) => log.push(entry)),
    engine: noEngine,
    directory: "/workspace",
  };
  const registry = createPluginRegistry([used]);
  const handle = await connectSource(services, registry, "s", { plugin: used.name, ...config }, limits);
  return { handle, log };
}

/** Connects a plugin with a connector and its declarations. */
export async function connectTo(
  connector: AnyConnector,
  capabilities: readonly string[],
  secrets: Readonly<Record<string, string>> = {},
): Promise<SourceHandle> {
  const specs = Object.fromEntries(Object.keys(secrets).map((name) => [name, { description: "x" }]));
  const used = plugin({ capabilities, secrets: specs, connect: () => connector });
  return (await connect(used, {}, { host: { env: secrets } })).handle;
}

/** Returns the error of a rejected promise; fails if it resolves. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  const outcome = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error(`expected a failure, got ${String(outcome.value)}`);
  return outcome.error;
}

/** Returns all values of an iterable, and its return value. */
export async function drain<T, R>(
  iterable: AsyncIterable<T, R>,
): Promise<{ readonly all: T[]; readonly end: R }> {
  const all: T[] = [];
  const iterator = iterable[Symbol.asyncIterator]();
  for (;;) {
    const step = await iterator.next();
    if (step.done === true) return { all, end: step.value };
    all.push(step.value);
  }
}

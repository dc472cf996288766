import { AgnesError, messageOf, printable, readableError, redact, redactThrown } from "../../lib/base/mod.ts";

/** A connected source of a command. */
export interface PluginOrigin {
  readonly plugin: string;
  readonly source: string;
  /** May grow while the source is used. */
  readonly secrets: ReadonlySet<string>;
}

const origins: PluginOrigin[] = [];
/** The plugins of workspaces, by their file. */
const imported = new Map<string, string>();

/** Registers a source, to attribute the output and unawaited failures of its plugin. */
export function rememberOrigin(origin: PluginOrigin): void {
  origins.push(origin);
}

/** Registers a plugin by its file, which appears in stacks of errors. */
export function rememberImport(path: string, exported: unknown): void {
  const { name } = (exported as { readonly default?: { readonly name?: unknown } }).default ?? {};
  if (typeof name === "string") imported.set(path, name);
}

/** A text of a plugin without the secrets of any source. */
export function withoutSecrets(text: string): string {
  return redact(text, secretsOf(origins));
}

/**
 * The error for an unawaited rejection or exception of a plugin, such as in a timer. The plugin is identified by a file
 * in the stack, or is the only one in use; without one the error is internal.
 */
export function strayFailure(thrown: unknown): AgnesError {
  const error = readableError(thrown);
  const own = originsOf(error);
  const secrets = secretsOf(origins);
  const reason = printable(redact(messageOf(error), secrets));
  const cause = redactThrown(error, secrets);
  const [first] = own;
  if (first === undefined) return new AgnesError("internal", { what: reason }, { cause });
  const source = [...new Set(own.map((one) => one.source))].join(" or ");
  return new AgnesError(
    "plugin_failed",
    { plugin: first.plugin, source, operation: "unawaited work", reason },
    { cause },
  );
}

function originsOf(error: unknown): readonly PluginOrigin[] {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const named = [...imported].filter(([path]) => stack.includes(path)).map(([, plugin]) => plugin);
  const plugins = named.length > 0 ? named : [...imported.values()];
  const found = origins.filter(({ plugin }) => plugins.includes(plugin));
  return new Set(found.map(({ plugin }) => plugin)).size === 1 ? found : [];
}

function secretsOf(some: readonly PluginOrigin[]): readonly string[] {
  return some.flatMap(({ secrets }) => [...secrets]);
}

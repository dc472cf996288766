import { AgnesError } from "./agnes-error.ts";
import type { PluginErrorCode } from "./codes.ts";
import type { ErrorSpec, Retry } from "./spec.ts";

/** One error code of a plugin: a function that creates the error. */
export interface PluginError<C extends PluginErrorCode = PluginErrorCode, D extends object = never> {
  (details: D, options?: { readonly cause?: unknown; readonly retry?: Retry }): AgnesError<C>;
  /** `plugin/name`. */
  readonly code: C;
  readonly spec: ErrorSpec<D>;
}

/** The error codes of a plugin by their names. */
export type PluginErrors = Readonly<Record<string, PluginError>>;

/**
 * Declares the error codes of a plugin, `plugin/name`. Each becomes a function that creates an `AgnesError`; pass the
 * result to `definePlugin` as `errors`, so that the codes are listed with the plugin.
 *
 * @param plugin the name of the plugin
 * @param specs the codes by name, in lower snake case
 * @throws nothing; `createAgnes` and the executable reject the plugin with `plugin_invalid` if a name is not valid
 * @example
 * ```ts
 * import { defineErrors, errorSpec } from "agnes/kit";
 * const errors = defineErrors("hubspot", {
 *   export_expired: errorSpec<{ job: string }>({
 *     retry: "transient",
 *     message: ({ job }) => `the export ${job} expired before it was downloaded`,
 *     hint: () => "Run it again.",
 *   }),
 * });
 * errors.export_expired({ job: "42" }).code; // "hubspot/export_expired"
 * ```
 */
export function defineErrors<
  const P extends string,
  const S extends Readonly<Record<string, ErrorSpec<never>>>,
>(
  plugin: P,
  specs: S,
): {
  readonly [N in keyof S & string]: PluginError<`${P}/${N}`, S[N] extends ErrorSpec<infer D> ? D : never>;
} {
  const errors = Object.entries(specs).map(([name, spec]) => {
    const code = `${plugin}/${name}` as const;
    const create = (details: never, options: { readonly cause?: unknown; readonly retry?: Retry } = {}) =>
      new AgnesError(code, details, { ...options, spec });
    return [name, Object.assign(create, { code, spec })];
  });
  return Object.fromEntries(errors) as never;
}

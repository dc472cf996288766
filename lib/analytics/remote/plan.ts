import type { AnyPlugin, AttachValue, ExtensionSpec, RemoteAttachInfo } from "../../kit/mod.ts";

/** A value of an attach: a constant, or the name of an environment variable. */
export type PlannedValue = string | number | boolean | { readonly env: string };

/** The plan to attach a database, as declared by a plugin; contains no secrets. */
export interface AttachPlan {
  /** The plugin that declares the extension; null if only the environment allows it. */
  readonly plugin: string | null;
  readonly repository: "core" | "community";
  readonly type: string;
  readonly readOnly: boolean;
  readonly options: Readonly<Record<string, PlannedValue>>;
  readonly secret: {
    readonly type: string;
    readonly option: string | null;
    readonly parameters: Readonly<Record<string, PlannedValue>>;
  } | null;
  /** Whether the attach uses the token. */
  readonly takesToken: boolean;
  /** The hosts to which the attach connects; null: unknown. */
  readonly hosts: readonly string[] | null;
  /** Whether extracts of other programs may use the extension. */
  readonly foreign: boolean;
  /** The environment variables whose values may be passed on. */
  readonly variables: readonly string[];
}

/** An extension that a loaded plugin declares. */
export interface NamedExtension {
  readonly name: string;
  readonly plugin: string;
  readonly spec: ExtensionSpec;
  /** The environment variables of that plugin's secrets in this workspace. */
  readonly variables: readonly string[];
}

/** The plugin and secrets of a source of the workspace. */
interface ConfiguredSource {
  readonly plugin: string;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Returns the extensions that plugins declare; two plugins may declare the same one. */
export function namedExtensions(
  plugins: readonly AnyPlugin[],
  sources: readonly ConfiguredSource[],
): readonly NamedExtension[] {
  return plugins.flatMap((plugin) => {
    const own = sources.filter((source) => source.plugin === plugin.name);
    const variables = Object.keys(plugin.secrets).flatMap((secret) =>
      own.length === 0 ? [secret] : own.map((source) => source.secrets[secret] ?? secret),
    );
    return Object.entries(plugin.extensions ?? {}).map(([name, spec]) => ({
      name,
      plugin: plugin.name,
      spec,
      variables: [...new Set(variables)],
    }));
  });
}

/** Sorts the extensions of the source's own plugin before those of other plugins. */
export function ownFirst(
  extensions: readonly NamedExtension[],
  plugin: string | undefined,
): readonly NamedExtension[] {
  const isOwn = (extension: NamedExtension) => extension.plugin === plugin;
  return [...extensions.filter(isOwn), ...extensions.filter((extension) => !isOwn(extension))];
}

/** Returns the settings of a DuckDB instance for attaching; community extensions require a setting when it is opened. */
export function attachSettings(extensions: readonly NamedExtension[]): Readonly<Record<string, string>> {
  const isNamed = extensions.some(({ spec }) => spec.repository === "community");
  return { allow_community_extensions: String(isNamed) };
}

/**
 * Plans how a database is attached.
 *
 * @param remote the database that the extract requests
 * @param declared the same database as declared by the plugin of the source; null if it is not declared
 */
export function planAttach(
  remote: Pick<RemoteAttachInfo, "extension" | "url" | "tokenEnv">,
  declared: RemoteAttachInfo | null,
  extensions: readonly NamedExtension[],
): AttachPlan {
  const folded = remote.extension.toLowerCase();
  const named = extensions.find(({ name }) => name.toLowerCase() === folded);
  const spec: ExtensionSpec = named?.spec ?? {};
  const token: PlannedValue | null = remote.tokenEnv === "" ? null : { env: remote.tokenEnv };
  const { secret: secretSpec, tokenOption } = spec;
  const parameters: Record<string, PlannedValue> = planned(declared?.secret);
  if (secretSpec?.tokenParameter !== undefined && token !== null) {
    parameters[secretSpec.tokenParameter] = token;
  }
  const options: Record<string, PlannedValue> = planned(declared?.options);
  if (tokenOption !== undefined && token !== null) options[tokenOption] = token;
  const own = variablesIn([...Object.values(parameters), ...Object.values(options)]);
  return {
    plugin: named?.plugin ?? null,
    repository: spec.repository ?? "core",
    type: spec.type ?? remote.extension,
    readOnly: spec.readOnly ?? true,
    options,
    secret:
      secretSpec === undefined || Object.keys(parameters).length === 0
        ? null
        : {
            type: secretSpec.type,
            option: secretSpec.option === undefined ? "SECRET" : secretSpec.option,
            parameters,
          },
    takesToken: tokenOption !== undefined || secretSpec?.tokenParameter !== undefined,
    hosts: hostsOf(remote, spec),
    foreign: spec.foreign ?? false,
    variables:
      declared === null ? (named?.variables ?? []) : [...own, ...(token === null ? [] : [token.env])],
  };
}

/** Returns the table functions with which views of an extract may read a database of this extension. */
export function viewFunctions(extension: string, extensions: readonly NamedExtension[]): readonly string[] {
  return (specOf(extension, extensions)?.functions ?? []).map((name) => name.toLowerCase());
}

/** Whether views of this extension may take its columns, types and conditions as they are. */
export function isExact(extension: string, extensions: readonly NamedExtension[]): boolean {
  return specOf(extension, extensions)?.isExact ?? true;
}

function specOf(extension: string, extensions: readonly NamedExtension[]): ExtensionSpec | undefined {
  const folded = extension.toLowerCase();
  return extensions.find(({ name }) => name.toLowerCase() === folded)?.spec;
}

/** Returns the environment variables of an attach. */
export function variablesOf({ options, secret }: AttachPlan): readonly string[] {
  return variablesIn([...Object.values(options), ...Object.values(secret?.parameters ?? {})]);
}

function variablesIn(values: readonly PlannedValue[]): readonly string[] {
  return [...new Set(values.flatMap((value) => (typeof value === "object" ? [value.env] : [])))];
}

function planned(values: Readonly<Record<string, AttachValue>> = {}): Record<string, PlannedValue> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "object" ? { env: value.name } : value,
    ]),
  );
}

function hostsOf(
  { extension, url }: Pick<RemoteAttachInfo, "extension" | "url">,
  { hosts }: ExtensionSpec,
): readonly string[] | null {
  if (extension === "duckdb") return [];
  if (hosts !== undefined) return hosts(url);
  const host = URL.canParse(url) ? new URL(url).hostname.toLowerCase() : "";
  return host === "" ? null : [host];
}

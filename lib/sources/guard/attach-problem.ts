import { holdsSecret, isExposedName, formatValue } from "../../base/mod.ts";
import type { AnyPlugin, AttachValue, ExtensionSpec, RemoteAttachInfo } from "../../kit/mod.ts";

/** Options that are derived from the extension. */
const OWN_OPTIONS = ["TYPE", "READ_ONLY", "READ_WRITE", "ACCESS_MODE"];

/**
 * Returns why the fields, options or secret of an attach are invalid, without their values; `undefined` if they are
 * valid.
 *
 * @param secrets the values that no constant may contain
 */
export function attachProblem(
  plugin: Pick<AnyPlugin, "extensions">,
  info: RemoteAttachInfo,
  secrets: Iterable<string>,
): string | undefined {
  const shape = shapeProblem(info);
  if (shape !== undefined) return `remote(): ${shape}`;
  const values = [...secrets].filter((value) => value !== "");
  const specs: Readonly<Record<string, ExtensionSpec>> = plugin.extensions ?? {};
  const spec = Object.hasOwn(specs, info.extension) ? specs[info.extension] : undefined;
  if (info.secret !== undefined && spec?.secret === undefined) {
    return `remote() returns a secret, but extensions.${info.extension}.secret does not declare one`;
  }
  for (const [part, fields] of Object.entries({ options: info.options, secret: info.secret })) {
    if (fields === undefined) continue;
    for (const [name, value] of Object.entries(fields)) {
      const problem = valueProblem(name, value, values);
      if (problem !== undefined) return `${part} of remote(): ${problem}`;
    }
  }
  const own = Object.keys(info.options ?? {}).find((name) => OWN_OPTIONS.includes(name.toUpperCase()));
  return own === undefined ? undefined : `options of remote(): ${own} is set by extensions of the plugin`;
}

function shapeProblem(info: unknown): string | undefined {
  if (!isRecord(info)) return `it should return an object, but returns ${kindOf(info)}`;
  for (const field of ["alias", "extension", "url", "tokenEnv"]) {
    const value = info[field];
    if (typeof value === "string") continue;
    const hint = field === "tokenEnv" ? '; use "" if there is no token' : "";
    return `${field} should be a text, but is ${value === undefined ? "missing" : kindOf(value)}${hint}`;
  }
  for (const field of ["options", "secret"]) {
    const value = info[field];
    if (value !== undefined && !isRecord(value))
      return `${field} should be an object, but is ${kindOf(value)}`;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

function valueProblem(name: string, value: AttachValue, secrets: readonly string[]): string | undefined {
  if (holdsSecret(name, secrets)) return "a name contains the value of a secret";
  if (!isExposedName(name)) return `${formatValue(name)} is not a valid name`;
  if (isSecret(value) || typeof value === "boolean") return undefined;
  if (typeof value === "number" && !Number.isFinite(value)) return `${name} is not a finite number`;
  if (typeof value !== "string" && typeof value !== "number") {
    return `${name} should be a text, a number, true, false or a secret`;
  }
  const text = String(value);
  return holdsSecret(text, secrets) || secrets.some((secret) => text.includes(secret))
    ? `${name} contains the value of a secret; pass the secret itself, secrets.NAME`
    : undefined;
}

/** Checks the shape and not the class, because a plugin from a package may use another copy of the kit. */
function isSecret(value: unknown): value is { readonly name: string } {
  return isRecord(value) && typeof value["name"] === "string" && typeof value["reveal"] === "function";
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

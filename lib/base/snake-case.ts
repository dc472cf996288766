import { isAgnesError } from "./errors/mod.ts";

/** Fields whose keys stay: those of a source, and of errors, which HTTP has in camelCase too. */
const FOREIGN: readonly string[] = ["sourceMetadata", "details"];

/**
 * A value of the library as `--json` and the HTTP API have it: keys are in snake_case, and an error is its code, message,
 * hint and details.
 */
export function snakeCase(value: unknown): unknown {
  if (isAgnesError(value)) return value.toJSON().error;
  if (Array.isArray(value)) return value.map(snakeCase);
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      FOREIGN.includes(key) ? inner : snakeCase(inner),
    ]),
  );
}

function isPlainObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

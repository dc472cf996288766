import { invalid } from "./errors.ts";

/** The parameters of a request, from JSON or a form. */
export type Parameters = Readonly<Record<string, unknown>>;

/**
 * Reads a body: JSON, or a form with PHP's keys such as `whereFilters[0][values][]`.
 * @throws ApiError 400 for another body
 */
export function readParameters(headers: Headers, body: string): Parameters {
  const type = headers.get("content-type")?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (body === "") return {};
  if (type === "application/x-www-form-urlencoded") return readForm(new URLSearchParams(body));
  if (type !== "application/json") throw invalid(`The content type "${type}" is not supported.`);
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw invalid("The body is not valid JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw invalid("The body should be a JSON object.");
  return value as Parameters;
}

/** Nests keys in brackets as PHP does; a key such as `a[]` appends. */
export function readForm(form: URLSearchParams): Parameters {
  const root: Record<string, unknown> = {};
  for (const [key, value] of form) {
    const path = [key.replace(/\[.*$/, ""), ...[...key.matchAll(/\[([^\]]*)\]/g)].map(([, part]) => part!)];
    let target = root;
    for (const [at, part] of path.entries()) {
      const name = part === "" ? String(Object.keys(target).length) : part;
      if (at === path.length - 1) target[name] = value;
      else target = target[name] = (target[name] ?? {}) as Record<string, unknown>;
    }
  }
  return withLists(root) as Parameters;
}

/** @throws ApiError 400 for a parameter that the blueprint does not have */
export function checkNames(parameters: Parameters, names: readonly string[]): void {
  const unknown = Object.keys(parameters).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(`${unknown}: This field was not expected.`);
}

/** Reads `true`, `1`, `"true"`, `"1"` and their opposites. */
export function booleanOf(parameters: Parameters, name: string, fallback: boolean): boolean {
  const value = parameters[name];
  if (value === undefined || value === null) return fallback;
  if ([true, 1, "1", "true"].includes(value as string)) return true;
  if ([false, 0, "0", "false", ""].includes(value as string)) return false;
  throw invalid(`${name}: This value should be of type boolean.`);
}

export function textOf(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw invalid(`${name}: This value should be of type string.`);
}

export function numberOf(parameters: Parameters, name: string): number | undefined {
  const text = textOf(parameters, name);
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw invalid(`${name}: This value should be a number.`);
  return Number(text);
}

export function listOf(parameters: Parameters, name: string): readonly string[] | undefined {
  const value = parameters[name];
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw invalid(`${name}: This value should be of type array.`);
  return value.map(String);
}

/** Turns maps with the keys 0, 1, … into lists. */
function withLists(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, one]) => [key, withLists(one)] as const);
  const isList = entries.length > 0 && entries.every(([key], at) => key === String(at));
  return isList ? entries.map(([, one]) => one) : Object.fromEntries(entries);
}

import * as v from "valibot";

import { AgnesError, formatValue } from "./errors/mod.ts";
import { nearest } from "./nearest.ts";

/**
 * Validates a value against a valibot schema and returns the typed result.
 *
 * @param path the name of the value in errors, for example `agnes.yaml: sources.crm.options`
 * @throws `config_unknown_key`, `config_invalid`
 */
export function checkAgainst<const S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  path: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  throw issueError(result.issues[0], schema, path);
}

function issueError(issue: v.BaseIssue<unknown>, schema: v.GenericSchema, path: string): AgnesError {
  const keys = (issue.path ?? []).map((item) => String(item.key));
  const unknown = unknownKey(issue, schema, keys);
  if (unknown !== undefined) {
    const near = nearest(unknown, knownKeys(schema, keys.slice(0, -1)));
    return new AgnesError("config_unknown_key", {
      path,
      key: [...keys.slice(0, -1), unknown].join("."),
      ...(near === undefined ? {} : { nearest: near }),
    });
  }
  return new AgnesError("config_invalid", {
    path,
    key: keys.join(".") || "the content",
    ...(isCustomMessage(issue)
      ? { reason: issue.message }
      : { expected: expectedBy(issue), received: receivedBy(issue) }),
  });
}

/** Returns the unknown key: the rejected one, or a mistyped one next to a missing key. */
function unknownKey(
  issue: v.BaseIssue<unknown>,
  schema: v.GenericSchema,
  keys: readonly string[],
): string | undefined {
  if (issue.type !== "strict_object") return undefined;
  if (issue.expected === "never") return keys.at(-1);
  if (!isMissing(issue)) return undefined;
  const known = knownKeys(schema, keys.slice(0, -1));
  return Object.keys(issue.path?.at(-1)?.input ?? {}).find((key) => !known.includes(key));
}

function isMissing(issue: v.BaseIssue<unknown>): boolean {
  return issue.input === undefined && issue.type.endsWith("object") && issue.path !== undefined;
}

/** Whether the message is a custom one; default messages of valibot repeat the input. */
function isCustomMessage({ kind, expected, message, received }: v.BaseIssue<unknown>): boolean {
  return kind === "validation" && expected === null && !message.endsWith(`eceived ${received}`);
}

function expectedBy(issue: v.BaseIssue<unknown>): string {
  if (issue.type === "custom") return issue.message;
  if (issue.type === "non_empty") return "not empty";
  if (isMissing(issue)) return "present";
  const expected = issue.expected ?? `of the form ${issue.type}`;
  // The words of YAML, as in the received value.
  return expected.replace(/\bArray\b/g, "a list").replace(/\bObject\b/g, "a map");
}

/** Returns the received value if it cannot be a misplaced secret, otherwise its type. */
function receivedBy({ input, type, expected }: v.BaseIssue<unknown>): string {
  if (input === undefined) return "missing";
  if (input === null) return "null";
  if (type === "non_empty") return "empty";
  if (typeof input === "string" && type === "picklist") return formatValue(input, 40);
  if (typeof input === "object") return Array.isArray(input) ? "a list" : "a map";
  const isScalar = typeof input === "number" || typeof input === "boolean";
  return isScalar && expected !== "string" ? String(input) : `a ${typeof input}`;
}

/** Returns the allowed keys of the object at `keys`. */
function knownKeys(schema: unknown, keys: readonly string[]): readonly string[] {
  let current = unwrapped(schema);
  for (const key of keys) {
    current = unwrapped(current?.entries?.[key] ?? current?.value ?? current?.item);
  }
  return Object.keys(current?.entries ?? {});
}

interface SchemaShape {
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly value?: unknown;
  readonly item?: unknown;
  readonly wrapped?: unknown;
  readonly pipe?: readonly { readonly kind: string }[];
}

function unwrapped(schema: unknown): SchemaShape | undefined {
  let current = schema as SchemaShape | undefined;
  for (;;) {
    // The last schema of a pipe has the keys.
    const last = current?.pipe?.findLast((item) => item.kind === "schema") as SchemaShape | undefined;
    const inner = current?.wrapped ?? (last?.pipe === undefined ? last : unwrapped(last));
    if (inner === undefined || inner === current) return current;
    current = inner as SchemaShape;
  }
}

import * as v from "valibot";

import { AgnesError } from "./errors/mod.ts";
import { nearest } from "./nearest.ts";

/**
 * Checks a value against a valibot schema and gives the typed result.
 *
 * @param path what to call the value in an error, for example `agnes.yaml: sources.crm.options`
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
  if (issue.type === "strict_object" && issue.expected === "never") {
    const near = nearest(keys.at(-1)!, knownKeys(schema, keys.slice(0, -1)));
    return new AgnesError("config_unknown_key", {
      path,
      key: keys.join("."),
      ...(near === undefined ? {} : { nearest: near }),
    });
  }
  return new AgnesError("config_invalid", {
    path,
    key: keys.join(".") || "the content",
    expected: issue.type === "custom" ? issue.message : (issue.expected ?? issue.message),
    // What valibot received is a literal of the input, and the input may be a secret in the wrong place.
    received: kindOf(issue.input),
  });
}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value}`;
}

/** The keys that the object at `keys` may have. */
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
    // The last schema of a pipe is the one that knows the keys.
    const last = current?.pipe?.findLast((item) => item.kind === "schema") as SchemaShape | undefined;
    const inner = current?.wrapped ?? (last?.pipe === undefined ? last : unwrapped(last));
    if (inner === undefined || inner === current) return current;
    current = inner as SchemaShape;
  }
}

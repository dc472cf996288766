import type * as v from "valibot";

import { AgnesError } from "../../base/mod.ts";

interface ValidationResult {
  readonly success: boolean;
  readonly error?: unknown;
}

/** A hook of the validators that throws `request_invalid`, which never repeats a value of the request. */
export function invalidRequest(part: string): (result: ValidationResult) => undefined {
  return (result) => {
    if (result.success) return undefined;
    const [whole] = result.error as readonly v.BaseIssue<unknown>[];
    const { issue, path } = deepest(whole);
    throw new AgnesError("request_invalid", { part, ...reasonOf(issue, path) });
  };
}

/** The issue, or what is wrong inside the one form of a union that the value has. */
function deepest(issue: v.BaseIssue<unknown> | undefined, outer: readonly string[] = []): Found {
  const path = [...outer, ...(issue?.path ?? []).map(({ key }) => String(key))];
  if (issue?.type !== "union") return { issue, path };
  const inner = issue.issues?.find((one) => (one.path ?? []).length > 0);
  return inner === undefined ? { issue, path } : deepest(inner, path);
}

interface Found {
  readonly issue: v.BaseIssue<unknown> | undefined;
  readonly path: readonly string[];
}

function reasonOf(issue: v.BaseIssue<unknown> | undefined, path: readonly string[]) {
  const isUnknown = issue?.type === "strict_object" && issue.expected === "never";
  // The name of an unknown field is a value of the request.
  if (isUnknown)
    return { field: path.slice(0, -1).join(".") || "the object", reason: "it has an unknown field" };
  const field = path.join(".") || "the object";
  if (issue === undefined) return { field, reason: "it is not valid" };
  // The messages of valibot itself repeat the value.
  if (issue.kind === "validation" && !issue.message.startsWith("Invalid "))
    return { field, reason: repeatsInput(issue) ? "it is not valid" : issue.message };
  if (issue.input === undefined) return { field, reason: "it is missing" };
  if (issue.type === "union" && !issue.message.startsWith("Invalid "))
    return { field, reason: issue.message };
  return { field, reason: expectationOf(issue) };
}

/** The types of JSON that need an article. */
const NAMES: Readonly<Record<string, string>> = { Object: "an object", Array: "an array" };

/** What an issue without a message of its own expects. */
function expectationOf(issue: v.BaseIssue<unknown>): string {
  const { type, expected, input, requirement } = issue as v.BaseIssue<unknown> & { requirement?: unknown };
  // The message of a schema of our own.
  if (type === "custom" && !issue.message.startsWith("Invalid ")) return `it must be ${issue.message}`;
  const count = () => {
    const [one, several] = typeof input === "string" ? ["character", "characters"] : ["entry", "entries"];
    return `${String(requirement)} ${requirement === 1 ? one : several}`;
  };
  if (type === "max_length") return `it must have at most ${count()}`;
  if (type === "min_length") return `it must have at least ${count()}`;
  if (type === "min_value") return `it must be at least ${String(requirement)}`;
  if (type === "max_value") return `it must be at most ${String(requirement)}`;
  if (type === "integer") return "it must be a whole number";
  if (expected === null || type === "regex") return "it is not valid";
  return `it must be ${NAMES[expected] ?? expected}`;
}

/** Whether the message of a check contains a text of its input. Shorter texts are no secrets, and occur by chance. */
function repeatsInput({ message, input }: v.BaseIssue<unknown>): boolean {
  const texts: string[] = [];
  const todo: unknown[] = [input];
  for (let value = todo.pop(); value !== undefined; value = todo.pop()) {
    if (typeof value === "string") texts.push(value);
    else if (Array.isArray(value))
      todo.push(...(value as readonly unknown[]).filter((one) => one !== undefined));
    else if (typeof value === "object" && value !== null)
      for (const [key, child] of Object.entries(value)) todo.push(key, child ?? null);
  }
  return texts.some((text) => text.trim().length >= 4 && message.includes(text.trim().slice(0, 20)));
}

import { AgnesError } from "../../base/mod.ts";

/**
 * Checks that a checked value has each part of the value that was sent. valibot takes a list for an object without fields,
 * and leaves out fields with names that all objects inherit, such as `constructor`.
 * @throws `request_invalid`
 */
export function checkComplete(part: string, sent: unknown, checked: unknown): void {
  const todo: (readonly [sent: unknown, checked: unknown, path: string])[] = [[sent, checked, ""]];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    const [from, to, path] = next;
    if (typeof from !== "object" || from === null || typeof to !== "object" || to === null) continue;
    const field = path === "" ? "the object" : path;
    if (Array.isArray(from) && !Array.isArray(to))
      throw new AgnesError("request_invalid", { part, field, reason: "it must be an object" });
    for (const [key, value] of Object.entries(from)) {
      if (!Object.hasOwn(to, key))
        throw new AgnesError("request_invalid", { part, field, reason: "it has an unknown field" });
      todo.push([
        value,
        (to as Readonly<Record<string, unknown>>)[key],
        path === "" ? key : `${path}.${key}`,
      ]);
    }
  }
}

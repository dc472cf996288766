import { errorCodes } from "../../lib/base/mod.ts";
import { markdownTable, page } from "./markdown.ts";

/** `docs/reference/errors.md`. */
export function errorsPage(): string {
  const rows = Object.entries(errorCodes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, spec]) => [
      `\`${code}\``,
      String(spec.status),
      String(spec.exit),
      spec.retry,
      sentence(spec.message as Template),
      sentence(spec.hint as Template),
    ]);
  return page(
    "Errors",
    "Every failure is an `AgnesError` with one of these codes. Codes are stable; the words may change. *HTTP* is the" +
      " status it is served with, *exit* the status of the executable, *retry* whether the same call may succeed later.",
    markdownTable(["code", "HTTP", "exit", "retry", "message", "what to do"], rows),
  );
}

type Template = (details: object) => string;

/** What a template says, with the names of the details in place of their values. */
function sentence(template: Template): string {
  const details = new Proxy(
    {},
    { get: (_target, name) => (typeof name === "string" ? placeholder(name) : undefined) },
  );
  return template(details).replaceAll("\n", " ");
}

/** Stands for a detail of any kind: text, number or list. */
function placeholder(name: string): unknown {
  const text = `‹${name}›`;
  return new Proxy(
    {},
    {
      get(_target, property) {
        if (property === Symbol.toPrimitive || property === "toString" || property === "valueOf")
          return () => text;
        if (property === "toJSON") return () => text;
        if (property === "length") return 2;
        if (property === Symbol.iterator) return () => [text][Symbol.iterator]();
        if (["map", "slice", "filter", "toSorted"].includes(String(property))) return () => [text];
        if (property === "join") return () => text;
        if (property === "at") return () => text;
        const own: unknown = Reflect.get(String.prototype, property);
        if (typeof own === "function") return own.bind(text) as unknown;
        return typeof property === "string" ? placeholder(`${name}.${property}`) : undefined;
      },
    },
  );
}

import { bundledPlugins } from "../../cmd/plugins.ts";
import { errorCodes, type ErrorSpec } from "../../lib/base/mod.ts";
import { errorExamples } from "./error-details.ts";
import { markdownTable, page } from "./markdown.ts";

type Code = readonly [code: string, spec: ErrorSpec<never>];

/** `docs/reference/errors.md`. */
export async function errorsPage(): Promise<string> {
  const plugins = (await bundledPlugins()).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return page(
    "Errors",
    "Every failure is an `AgnesError` with one of these codes. Codes are stable; the texts of messages and hints may" +
      " change, and each is an example. *HTTP* is the status of an HTTP response with this error, *exit* is the exit status" +
      " of the executable, and *retry* states whether the same call may succeed later.",
    codesTable(Object.entries(errorCodes)),
    ...plugins.flatMap(({ name, errors }) => {
      if (errors === undefined) return [];
      const codes = Object.values(errors).map(({ code, spec }): Code => [code, spec]);
      return [`## Errors of the plugin \`${name}\``, codesTable(codes)];
    }),
  );
}

function codesTable(codes: readonly Code[]): string {
  const examples = errorExamples();
  const rows = codes
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, spec]) => {
      const example = examples.get(code);
      if (example === undefined) throw new Error(`the type of the details of ${code} was not found`);
      const texts = (template: (details: never) => string) =>
        [...new Set([example.whole, example.least].map(template as (details: object) => string))]
          // Of details of which either one or the other is there, neither is no example.
          .filter((text) => !text.includes("undefined"))
          .join(" — or: ");
      return [
        `\`${code}\``,
        String(spec.status),
        String(spec.exit),
        spec.retry,
        texts(spec.message),
        texts(spec.hint),
      ];
    });
  return markdownTable(["code", "HTTP", "exit", "retry", "message, for example", "what to do"], rows);
}

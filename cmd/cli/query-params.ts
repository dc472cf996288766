import { AgnesError, formatValue } from "../../lib/base/mod.ts";

/**
 * Returns the values of `--param NAME=VALUE`; undefined without any.
 * @throws `usage_wrong`, without the values
 */
export function queryParams(
  command: string,
  texts: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (texts.length === 0) return undefined;
  const wrong = (reason: string) =>
    new AgnesError("usage_wrong", { command, reason, next: "Write --param NAME=VALUE, once for each name." });
  const found = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf("=");
    const name = at === -1 ? "" : text.slice(0, at).replace(/^\$/, "");
    if (name === "") throw wrong("a value of --param has no name");
    if (found.has(name)) throw wrong(`--param repeats the name ${formatValue(name)}`);
    found.set(name, text.slice(at + 1));
  }
  return Object.fromEntries(found);
}

import { isAgnesError, type Host } from "../../base/mod.ts";
import type { JsonValue } from "../../kit/mod.ts";
import { withChecks } from "./checked.ts";
import { readExtract } from "./read-extract.ts";

/**
 * What the published tables of an extract keep for their connector, by the source's own names; the extract is read when
 * it is first asked for. One that cannot be read tells nothing: the run that reads it says what is wrong.
 */
export function publishedStates(
  host: Host,
  directory: string,
): (table: string) => Promise<JsonValue | undefined> {
  let states: Promise<ReadonlyMap<string, JsonValue>> | undefined;
  return async (table) => (await (states ??= readStates(host, directory))).get(table);
}

async function readStates(host: Host, directory: string): Promise<ReadonlyMap<string, JsonValue>> {
  try {
    const tables = (await withChecks(host, await readExtract(host.files, directory)))?.tables ?? [];
    return new Map(
      tables.flatMap(({ definition, name, state }) =>
        state === undefined ? [] : [[sourceName(definition) ?? name, state]],
      ),
    );
  } catch (error) {
    if (isAgnesError(error, "extract_unreadable") || isAgnesError(error, "extract_foreign")) return new Map();
    throw error;
  }
}

/** A definition begins with the name that the source has for the table; see `definitionOf`. */
function sourceName(definition: string): string | undefined {
  const [name] = definition === "" ? [] : (JSON.parse(definition) as readonly unknown[]);
  return typeof name === "string" ? name : undefined;
}

import { isAgnesError, type Host } from "../../base/mod.ts";
import type { JsonValue } from "../../kit/mod.ts";
import { withReadFacts } from "./read-facts.ts";
import { readExtract } from "./read-extract.ts";

/**
 * Returns a function that looks up the connector state of a published table by the source's name of the table.
 *
 * The extract is read at the first call. If it cannot be read, there are no states; the next run reports the error.
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
    const tables = (await withReadFacts(host, await readExtract(host.files, directory)))?.tables ?? [];
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

/** The source's name of a table, which is the first element of its definition; see `definitionOf`. */
function sourceName(definition: string): string | undefined {
  const [name] = definition === "" ? [] : (JSON.parse(definition) as readonly unknown[]);
  return typeof name === "string" ? name : undefined;
}

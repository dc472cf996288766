import * as arrow from "apache-arrow";

import type { StreamResult } from "../connection.ts";

/**
 * Makes names unique: a second `id` becomes `id_1`.
 * @param keyOf names with the same key are equal; default: the name itself
 */
export function uniqueNames(
  names: readonly string[],
  keyOf: (name: string) => string = (name) => name,
): readonly string[] {
  const taken = new Set(names.map(keyOf));
  const seen = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let count = 1; seen.has(keyOf(unique)); count++) {
      const candidate = `${name}_${count}`;
      if (!taken.has(keyOf(candidate))) unique = candidate;
    }
    seen.add(keyOf(unique));
    return unique;
  });
}

/** Returns a result with unique column names; see `uniqueNames`. */
export function withUniqueNames(
  { schema, names, batches }: StreamResult,
  keyOf?: (name: string) => string,
): Pick<StreamResult, "schema" | "batches"> {
  const unique = uniqueNames(names, keyOf);
  if (unique.every((name, index) => name === names[index])) return { schema, batches };
  const fields = schema.fields.map((field, index) => field.clone({ name: unique[index]! }));
  const renamed = new arrow.Schema(fields);
  const type = new arrow.Struct(fields);
  return {
    schema: renamed,
    batches: (async function* () {
      for await (const batch of batches) yield new arrow.RecordBatch(renamed, batch.data.clone(type));
    })(),
  };
}

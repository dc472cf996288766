import type { Field } from "apache-arrow";

import { holdsSecret, nameHoldsSecret, redact, redactValue } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";

/**
 * Returns a table with redacted description, notes and metadata. Names cannot be redacted, because the source identifies
 * the table by them.
 *
 * @throws an error with the kind of name that contains a secret, without the name
 */
export function withoutSecretTexts(table: TableInfo, secrets: Iterable<string>): TableInfo {
  const values = [...secrets];
  // Other values are rejected by `discoverTables`.
  if (values.length === 0 || typeof table !== "object" || table === null) return table;
  const { description, name, notes, remotePath = [], schema, sourceMetadata } = table;
  if (holds(name, values)) throw new Error(`the name of a table that it lists ${CONTAINS_SECRET}`);
  const fields = Array.isArray(schema?.fields) ? schema.fields : [];
  if (hasSecretName(fields, values))
    throw new Error(`the name of a column of table ${name} ${CONTAINS_SECRET}`);
  if (remotePath.some((part) => holds(part, values)))
    throw new Error(`the remote path of table ${name} ${CONTAINS_SECRET}`);
  const clean = (text: string) => withoutSecret(text, values);
  return {
    ...table,
    ...(typeof description === "string" && { description: clean(description) }),
    ...(sourceMetadata !== undefined && { sourceMetadata: redactValue(sourceMetadata, values) }),
    ...(Array.isArray(notes) && { notes: notes.map((note: unknown) => clean(String(note))) }),
  };
}

/** The reason why a name is rejected. */
export const CONTAINS_SECRET: string = "contains the value of a secret";

/** Returns whether the name of a column or of a nested field contains a secret. */
export function hasSecretName(fields: readonly Field[], secrets: Iterable<string>): boolean {
  return fields.some(({ name, type }) => {
    const children = (type as { readonly children?: readonly Field[] | null } | undefined)?.children ?? [];
    return holds(name, secrets) || hasSecretName(children, secrets);
  });
}

function holds(name: unknown, secrets: Iterable<string>): boolean {
  return typeof name === "string" && nameHoldsSecret(name, secrets);
}

/** Returns a text without a secret unchanged, because it is stored and compared with later ones. */
function withoutSecret(text: string, secrets: readonly string[]): string {
  if (!nameHoldsSecret(text, secrets)) return text;
  const clean = redact(text, secrets);
  return holdsSecret(clean, secrets) ? "[redacted]" : clean;
}

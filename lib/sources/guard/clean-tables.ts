import type { Field } from "apache-arrow";

import { holdsSecret, nameHoldsSecret, redact, redactValue } from "../../base/mod.ts";
import type { TableInfo } from "../../kit/mod.ts";

/**
 * A table that shows no secret: its description, notes and metadata are redacted. A name cannot be replaced, because the source
 * knows the table by it.
 *
 * @throws an error that says which kind of name holds a secret, without the name
 */
export function withoutSecretTexts(table: TableInfo, secrets: Iterable<string>): TableInfo {
  const values = [...secrets];
  // What is no table at all is refused where tables are checked.
  if (values.length === 0 || typeof table !== "object" || table === null) return table;
  const { description, name, notes, remotePath = [], schema, sourceMetadata } = table;
  if (holds(name, values)) throw new Error(`the name of a table that it lists ${HOLDS}`);
  const fields = Array.isArray(schema?.fields) ? schema.fields : [];
  if (hasSecretName(fields, values)) throw new Error(`the name of a column of table ${name} ${HOLDS}`);
  if (remotePath.some((part) => holds(part, values)))
    throw new Error(`the remote path of table ${name} ${HOLDS}`);
  const clean = (text: string) => withoutSecret(text, values);
  return {
    ...table,
    ...(typeof description === "string" && { description: clean(description) }),
    ...(sourceMetadata !== undefined && { sourceMetadata: redactValue(sourceMetadata, values) }),
    ...(Array.isArray(notes) && { notes: notes.map((note: unknown) => clean(String(note))) }),
  };
}

/** Why a name is refused, after what it names. */
export const HOLDS: string = "holds the value of a secret";

/** Whether the name of a column, or of a field inside of one, holds a secret. */
export function hasSecretName(fields: readonly Field[], secrets: Iterable<string>): boolean {
  return fields.some(({ name, type }) => {
    const children = (type as { readonly children?: readonly Field[] | null } | undefined)?.children ?? [];
    return holds(name, secrets) || hasSecretName(children, secrets);
  });
}

function holds(name: unknown, secrets: Iterable<string>): boolean {
  return typeof name === "string" && nameHoldsSecret(name, secrets);
}

/** Texts without a secret stay exactly as they are: they are kept, and compared with the next ones. */
function withoutSecret(text: string, secrets: readonly string[]): string {
  if (!nameHoldsSecret(text, secrets)) return text;
  const clean = redact(text, secrets);
  return holdsSecret(clean, secrets) ? "[redacted]" : clean;
}

import type { ArgsDef, StringArgDef } from "citty";
import * as v from "valibot";

import { AgnesError, messageOf, nearest } from "../../lib/base/mod.ts";
import {
  fromStoredFields,
  storedFieldNames,
  tableChange,
  type StoredFieldName as Field,
  type TableChange,
} from "../../lib/tables/mod.ts";
import { choicesText } from "../cli/strict-args.ts";

/** The kind of value in a flag's text. */
type FieldKind = "text" | "number" | "truth" | "names" | "json";

/** The flag of each field: its name with dashes, or a shorter one for common fields. */
const shortFlags: Partial<Record<Field, string>> = {
  view_name: "as",
  query_mode: "mode",
  sync_strategy: "strategy",
  sync_schedule: "schedule",
  sync_paused: "paused",
  where_filters: "where",
};

const flagOf = (field: Field): string => shortFlags[field] ?? field.replaceAll("_", "-");

/** The fields that flags of a command can set. */
export const settableFields: readonly Field[] = storedFieldNames.filter(
  (field) => !["source", "name", "source_table"].includes(field),
);

/** One flag for each field, derived from the field's schema. */
export function fieldFlags(fields: readonly Field[]): Record<string, StringArgDef> {
  const entries = fields.map((field): [string, StringArgDef] => {
    const schema = schemaOf(field);
    const description = v.getDescription(schema as v.GenericSchema) ?? "";
    return [
      flagOf(field),
      { type: "string", valueHint: field === "bucket" ? "BUCKET" : hintOf(schema), description },
    ];
  });
  return Object.fromEntries(entries);
}

/**
 * Checks that the text of an option or argument is one of the allowed values.
 *
 * @param option `--mode`, or `MODE`
 * @throws `usage_wrong` with the nearest value
 */
export function choiceOf<const Choice extends string>(
  name: string,
  option: string,
  text: string,
  choices: readonly Choice[],
): Choice {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const near = nearest(text, choices);
  throw new AgnesError("usage_wrong", {
    command: name,
    reason: `${option} cannot be ${JSON.stringify(text)}`,
    next: near === undefined ? choicesText(choices) : `Did you mean ${near}?`,
  });
}

/** The options of the commands that change a registered table. */
export const changeFlags = changeFlagsOf(
  "Fail if the table changed after version N (see `agnes table show`)",
);

/** The options of the commands that change the registry in other ways. */
export const registryChangeFlags = changeFlagsOf(
  "Fail if the registry changed after version N (see `version` of `agnes table list --json`)",
);

function changeFlagsOf(expectVersion: string) {
  return {
    "dry-run": { type: "boolean", description: "Print the result without changing anything" },
    "expect-version": { type: "string", valueHint: "N", description: expectVersion },
  } as const satisfies ArgsDef;
}

/** The values of `changeFlags` and `registryChangeFlags`. */
export function changeOptions(
  name: string,
  args: Readonly<Record<string, unknown>>,
): { readonly dryRun: boolean; readonly expectedVersion?: number } {
  const version = args["expect-version"];
  const dryRun = args["dry-run"] === true;
  if (typeof version !== "string") return { dryRun };
  if (/^[0-9]{1,15}$/.test(version)) return { dryRun, expectedVersion: Number(version) };
  throw new AgnesError("usage_wrong", { command: name, reason: "--expect-version needs a whole number" });
}

/**
 * The change of the flags of a command. Only their form is checked here; the registry checks the values.
 * @throws `usage_wrong`
 */
export function changeFrom(
  name: string,
  fields: readonly Field[],
  args: Readonly<Record<string, unknown>>,
): TableChange {
  const values = fields.flatMap((field): [string, unknown][] => {
    const text = args[flagOf(field)];
    return typeof text === "string" ? [[field, valueOf(name, field, text)]] : [];
  });
  const cleared = typeof args["clear"] === "string" ? clearedFields(name, fields, args["clear"]) : [];
  const both = cleared.find((field) => values.some(([other]) => other === field));
  if (both !== undefined) {
    const reason = `--${flagOf(both)} and --clear ${flagOf(both)} contradict each other`;
    throw new AgnesError("usage_wrong", { command: name, reason });
  }
  return fromStoredFields(
    Object.fromEntries([...values, ...cleared.map((field) => [field, null])]),
  ) as TableChange;
}

function clearedFields(name: string, fields: readonly Field[], list: string): readonly Field[] {
  const choices = list.split(",").map((choice) => choice.trim().replace(/^--/, ""));
  return choices.map((choice) => {
    const field = fields.find((candidate) => candidate === choice || flagOf(candidate) === choice);
    if (field !== undefined) return field;
    const near = nearest(choice, fields.map(flagOf));
    throw new AgnesError("usage_wrong", {
      command: name,
      reason: `there is no field ${JSON.stringify(choice)} to clear`,
      ...(near === undefined ? {} : { next: `Did you mean ${near}?` }),
    });
  });
}

function valueOf(name: string, field: Field, text: string): unknown {
  const kind = kindOf(schemaOf(field));
  if (kind === "number") {
    if (/^[0-9]+(\.[0-9]+)?$/.test(text)) return Number(text);
    throw new AgnesError("usage_wrong", {
      command: name,
      reason: `--${flagOf(field)} should be a number, not ${JSON.stringify(text)}`,
    });
  }
  if (kind === "truth") return choiceOf(name, `--${flagOf(field)}`, text, ["true", "false"]) === "true";
  // The list can be JSON, for column names with a comma.
  if (kind === "names" && !text.startsWith("[")) {
    return text
      .split(",")
      .map((choice) => choice.trim())
      .filter((choice) => choice !== "");
  }
  if (kind === "text") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new AgnesError(
      "usage_wrong",
      { command: name, reason: `--${flagOf(field)} needs JSON: ${messageOf(cause).replace(/: ?".*$/s, "")}` },
      { cause },
    );
  }
}

interface FieldSchema {
  readonly type: string;
  readonly options?: readonly string[];
  readonly item?: { readonly type: string };
}

function schemaOf(field: Field): FieldSchema {
  return tableChange.entries[field].wrapped as unknown as FieldSchema;
}

function kindOf({ type, item }: FieldSchema): FieldKind {
  if (type === "number") return "number";
  if (type === "boolean") return "truth";
  if (type === "array") return item?.type === "string" ? "names" : "json";
  return type === "strict_object" || type === "custom" ? "json" : "text";
}

function hintOf(schema: FieldSchema): string {
  if (schema.options !== undefined) return schema.options.join("|");
  const hints = { text: "TEXT", number: "N", truth: "true|false", names: "A,B", json: "JSON" } as const;
  return hints[kindOf(schema)];
}

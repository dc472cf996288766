import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";

import type { OptionsSchema } from "../../lib/kit/mod.ts";

/** The JSON Schema of the written values, where fields with a default are optional. */
export function writtenForm(schema: OptionsSchema): object {
  const form = toJsonSchema(schema as Parameters<typeof toJsonSchema>[0], {
    errorMode: "ignore",
    typeMode: "input",
  });
  return described(form as Form, schema);
}

interface Form {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Form>>;
  readonly items?: Form;
  readonly additionalProperties?: Form | boolean;
}

interface Shape {
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly wrapped?: unknown;
  readonly value?: unknown;
  readonly item?: unknown;
}

/** Adds the descriptions that the conversion omits: those that follow a transformation, or are inside a nullable. */
function described(form: Form, schema: unknown): Form {
  const description = form.description ?? descriptionOf(schema);
  const { entries = {}, value, item } = unwrapped(schema);
  const properties = Object.entries(form.properties ?? {}).map(
    ([name, one]) => [name, name in entries ? described(one, entries[name]) : one] as const,
  );
  const values = form.additionalProperties;
  return {
    ...form,
    ...(description === undefined ? {} : { description }),
    ...(form.properties === undefined ? {} : { properties: Object.fromEntries(properties) }),
    ...(form.items === undefined || item === undefined ? {} : { items: described(form.items, item) }),
    ...(typeof values !== "object" || value === undefined
      ? {}
      : { additionalProperties: described(values, value) }),
  };
}

function descriptionOf(schema: unknown): string | undefined {
  const { wrapped } = schema as Shape;
  return (
    v.getDescription(schema as v.GenericSchema) ??
    (wrapped === undefined ? undefined : descriptionOf(wrapped))
  );
}

function unwrapped(schema: unknown): Shape {
  const shape = schema as Shape;
  return shape.wrapped === undefined ? shape : unwrapped(shape.wrapped);
}

/** The parts of a valibot schema that the reference shows. */
interface SchemaShape {
  readonly type: string;
  readonly entries?: Readonly<Record<string, SchemaShape>>;
  readonly value?: SchemaShape;
  readonly item?: SchemaShape;
  readonly wrapped?: SchemaShape;
  readonly options?: readonly unknown[];
  readonly literal?: unknown;
  readonly default?: unknown;
  readonly pipe?: readonly { readonly kind: string; readonly type: string; readonly description?: string }[];
}

/** Rows `key, type, default, description` of an object schema; nested keys joined by dots. */
export function schemaRows(schema: unknown, prefix = ""): readonly (readonly string[])[] {
  const { inner } = unwrap(schema as SchemaShape);
  if (inner.type === "record" && inner.value !== undefined)
    return schemaRows(inner.value, `${prefix}<name>.`);
  return Object.entries(inner.entries ?? {}).flatMap(([key, value]) => {
    const { inner: own, optional, fallback, description } = unwrap(value);
    const missing = !optional ? "required" : fallback === undefined ? "" : `\`${JSON.stringify(fallback)}\``;
    const row = [`\`${prefix}${key}\``, typeName(own), missing, description];
    return own.type === "strict_object" || own.type === "object" || own.type === "record"
      ? [row, ...schemaRows(own, `${prefix}${key}.`)]
      : [row];
  });
}

function unwrap(schema: SchemaShape): {
  inner: SchemaShape;
  optional: boolean;
  fallback: unknown;
  description: string;
} {
  let inner = schema;
  let optional = false;
  let fallback: unknown;
  let description = descriptionOf(schema);
  while (inner.wrapped !== undefined) {
    optional = true;
    fallback ??= typeof inner.default === "function" ? undefined : inner.default;
    inner = inner.wrapped;
    description ||= descriptionOf(inner);
  }
  // The last schema of a pipe is the one that knows the keys.
  for (;;) {
    const last = inner.pipe?.findLast((item) => item.kind === "schema") as SchemaShape | undefined;
    if (last === undefined) break;
    inner = last;
  }
  return { inner, optional, fallback, description };
}

function descriptionOf(schema: SchemaShape): string {
  return schema.pipe?.find((action) => action.type === "description")?.description ?? "";
}

function typeName(schema: SchemaShape): string {
  switch (schema.type) {
    case "picklist":
      return (schema.options ?? []).map((option) => `\`${String(option)}\``).join(" or ");
    case "literal":
      return `\`${JSON.stringify(schema.literal)}\``;
    case "array":
      return `list of ${schema.item === undefined ? "values" : typeName(unwrap(schema.item).inner)}`;
    case "record":
      return "map by name";
    case "strict_object":
    case "object":
      return "map";
    case "union":
    case "variant":
      return (schema.options ?? [])
        .map((option) => typeName(unwrap(option as SchemaShape).inner))
        .join(" or ");
    default:
      return schema.type;
  }
}

/** The parts of a JSON Schema in a table of options. */
interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
}

/** Rows `option, type, default, description`; nested options are joined by dots. */
export function optionRows(schema: object, prefix = ""): readonly (readonly string[])[] {
  const { properties = {}, required = [] } = schema as JsonSchema;
  return Object.entries(properties).flatMap(([name, option]) => {
    const missing = required.includes(name)
      ? "required"
      : option.default === undefined
        ? ""
        : JSON.stringify(option.default);
    const row = [`${prefix}${name}`, typeText(option), missing, option.description ?? ""];
    const values = typeof option.additionalProperties === "object" ? option.additionalProperties : {};
    return [row, ...optionRows(option, `${prefix}${name}.`), ...optionRows(values, `${prefix}${name}.NAME.`)];
  });
}

function typeText(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map(String).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(" | ");
  if (schema.type === "array")
    return `list of ${schema.items === undefined ? "values" : typeText(schema.items)}`;
  if (schema.type === "object") return "map";
  return schema.type ?? "any";
}

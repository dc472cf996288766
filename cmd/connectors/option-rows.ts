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
    const forms = [option, ...(option.anyOf ?? [])];
    const description = forms.find((form) => form.description !== undefined)?.description ?? "";
    const row = [`${prefix}${name}`, typeText(option), missing, description];
    return [row, ...forms.flatMap((form) => innerRows(form, `${prefix}${name}`))];
  });
}

/** Rows of the options inside a map, or of the values of one. */
function innerRows(form: JsonSchema, name: string): readonly (readonly string[])[] {
  const values = typeof form.additionalProperties === "object" ? form.additionalProperties : {};
  return [...optionRows(form, `${name}.`), ...optionRows(values, `${name}.NAME.`)];
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

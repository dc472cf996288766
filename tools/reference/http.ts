import { openApiDocument } from "../../lib/serve/openapi/document.ts";
import { allRoutes } from "../../lib/serve/server.ts";
import { workspaceConfig } from "../../lib/workspace/mod.ts";
import { markdownTable, page } from "./markdown.ts";

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

interface Operation {
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly security?: readonly unknown[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: JsonSchema;
  }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

/** `docs/reference/http.md`, from the OpenAPI document. */
export async function httpPage(): Promise<string> {
  const config = (await import("valibot")).parse(workspaceConfig, { version: 1 }).server;
  const routes = allRoutes();
  // The handlers are not called, so they need no other services.
  const { paths } = await openApiDocument(routes, { config } as Parameters<typeof openApiDocument>[1]);
  const operations = routes.map(({ method, path, access }) => {
    const place = path.replaceAll(/:(\w+)/g, "{$1}");
    const operation = paths[place]![method as "get"] as unknown as Operation;
    return { title: `${method.toUpperCase()} ${place}`, access, operation };
  });
  return page(
    "HTTP API",
    "The server describes the same in OpenAPI 3.1 at `/openapi.json`. Requests send a token as `Authorization: Bearer TOKEN`." +
      " Every error has the body `{error: {code, message, hint, details}}`; [errors](errors.md) lists the codes.",
    markdownTable(
      ["request", "for", "summary"],
      operations.map(({ title, access, operation }) => [
        `\`${title}\``,
        {
          public: "everyone",
          optional: "everyone, more for administrators",
          signed_in: "every token",
          admin: "administrators",
        }[access],
        operation.summary,
      ]),
    ),
    ...operations.flatMap(({ title, operation }) => sectionOf(title, operation)),
  );
}

function sectionOf(title: string, operation: Operation): readonly string[] {
  const { summary, description, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content["application/json"]?.schema;
  const statuses = Object.entries(responses);
  const errors = statuses.filter(([status]) => Number(status) >= 400).map(([status]) => status);
  return [
    `## ${title}`,
    `${summary}.${description === undefined ? "" : ` ${description}`}`,
    ...(parameters.length > 0
      ? [
          markdownTable(
            ["parameter", "in", "type", "description"],
            parameters.map((one) => [
              `\`${one.name}\``,
              one.in,
              `${typeOf(one.schema)}${one.required === true ? "" : ", optional"}`,
              one.description ?? one.schema.description ?? "",
            ]),
          ),
        ]
      : []),
    ...(body === undefined ? [] : ["Body:", fieldsOf(body)]),
    ...statuses
      .filter(([status]) => Number(status) < 400)
      .flatMap(([status, response]) => {
        const types = Object.keys(response.content ?? {});
        const schema = response.content?.["application/json"]?.schema;
        const type = types.length > 0 ? ` (${types.map((one) => `\`${one}\``).join(", ")})` : "";
        const fields = schema !== undefined && rowsOf(schema, "").length > 0 ? [fieldsOf(schema)] : [];
        return [`${status}: ${response.description}${type}.`, ...fields];
      }),
    `Errors: ${errors.join(", ")}.`,
  ];
}

function fieldsOf(schema: JsonSchema): string {
  return markdownTable(["field", "type", "description"], rowsOf(schema, ""));
}

function rowsOf({ properties, required = [], anyOf }: JsonSchema, prefix: string): readonly string[][] {
  // Of several forms of an object, the one with the most fields has those of the others.
  const forms = (anyOf ?? []).map((one) => rowsOf(one, prefix));
  if (properties === undefined) return forms.toSorted((a, b) => b.length - a.length)[0] ?? [];
  return Object.entries(properties).flatMap(([name, schema]) => {
    const isOptional = !required.includes(name);
    const row = [
      `\`${prefix}${name}\``,
      `${typeOf(schema)}${isOptional ? ", optional" : ""}`,
      descriptionOf(schema),
    ];
    const items = schema.items ?? {};
    const own = rowsOf(schema, `${prefix}${name}.`);
    const inner = own.length > 0 ? own : rowsOf(items, `${prefix}${name}[].`);
    return [row, ...inner];
  });
}

function descriptionOf(schema: JsonSchema): string {
  return schema.description ?? schema.anyOf?.find((one) => one.description !== undefined)?.description ?? "";
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${String(one)}\``).join(" or ");
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(" or ");
  if (schema.type === "array")
    return `list of ${schema.items === undefined ? "values" : typeOf(schema.items)}`;
  return String(schema.type ?? "any");
}

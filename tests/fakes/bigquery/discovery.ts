import { appendFileSync, readFileSync } from "node:fs";

/** A schema of a discovery document: the JSON Schema of draft 3 with the formats of Google. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly repeated?: boolean;
  readonly required?: boolean;
  readonly location?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
}

interface Method {
  readonly id: string;
  readonly httpMethod: string;
  readonly flatPath: string;
  readonly parameters?: Readonly<Record<string, Schema>>;
  readonly request?: Schema;
  readonly response?: Schema;
}

interface Resource {
  readonly methods?: Readonly<Record<string, Method>>;
  readonly resources?: Readonly<Record<string, Resource>>;
}

/** The discovery document of the API, as far as it is used. */
export interface DiscoveryDocument extends Resource {
  readonly servicePath: string;
  /** Query parameters of all methods. */
  readonly parameters: Readonly<Record<string, Schema>>;
  readonly schemas: Readonly<Record<string, Schema>>;
}

/** A request and the response to it. */
export interface Exchange {
  readonly method: string;
  readonly url: URL;
  /** As text; empty if there is none. */
  readonly body: string;
  readonly response: { readonly status: number; readonly body: string };
}

/** What a discovery document states of an exchange. */
export interface DiscoveryFindings {
  /** The id of the method, such as `bigquery.jobs.insert`; undefined if there is none. */
  readonly method: string | undefined;
  /** What the exchange has that the document does not. */
  readonly problems: readonly string[];
}

/** The patterns of numbers that are text. */
const FORMATS: Readonly<Record<string, RegExp>> = { int64: /^-?\d{1,19}$/, uint64: /^\d{1,20}$/ };

/**
 * Compares an exchange with the document: path, method, query parameters, and the fields, types and values of both bodies. An
 * error response has a format of its own, which the document does not describe.
 */
export function discoveryFindings(document: DiscoveryDocument, exchange: Exchange): DiscoveryFindings {
  const { method: verb, url, body, response } = exchange;
  const method = methodsOf(document).find(
    ({ httpMethod, flatPath }) =>
      httpMethod === verb && patternOf(document.servicePath + flatPath).test(url.pathname),
  );
  if (method === undefined) return { method, problems: [`there is no ${verb} ${url.pathname}`] };
  const isOk = response.status < 300;
  const problems = [
    ...queryProblems(document, method, url.searchParams),
    ...bodyProblems(document, method.request, body).map((problem) => `request${problem}`),
    ...(isOk ? bodyProblems(document, method.response, response.body) : []).map(
      (problem) => `response${problem}`,
    ),
  ];
  return { method: method.id, problems: problems.map((problem) => `${method.id}: ${problem}`) };
}

function methodsOf({ methods = {}, resources = {} }: Resource): readonly Method[] {
  return [...Object.values(methods), ...Object.values(resources).flatMap(methodsOf)];
}

const patternOf = (path: string): RegExp => new RegExp(`^/${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`);

function queryProblems(
  { parameters }: DiscoveryDocument,
  method: Method,
  query: URLSearchParams,
): readonly string[] {
  const known = { ...parameters, ...method.parameters };
  return [...query.keys()].flatMap((name) => {
    const schema = known[name];
    if (schema === undefined || (schema.location ?? "query") !== "query")
      return [`the parameter ${name} is not known`];
    const values = query.getAll(name);
    if (values.length > 1 && schema.repeated !== true) return [`the parameter ${name} is repeated`];
    return values.filter((value) => !isParameter(schema, value)).map((value) => `${name} is ${value}`);
  });
}

function isParameter({ type, format, enum: names }: Schema, value: string): boolean {
  if (type === "boolean") return ["true", "false"].includes(value);
  if (type === "integer") return /^-?\d+$/.test(value);
  return (names?.includes(value) ?? true) && (FORMATS[format ?? ""]?.test(value) ?? true);
}

function bodyProblems(
  document: DiscoveryDocument,
  schema: Schema | undefined,
  body: string,
): readonly string[] {
  if (schema === undefined) return body === "" ? [] : [": there is a body"];
  return valueProblems(document, schema, JSON.parse(body) as unknown, "");
}

function valueProblems(
  document: DiscoveryDocument,
  schema: Schema,
  value: unknown,
  path: string,
): readonly string[] {
  if (schema.$ref !== undefined) return valueProblems(document, document.schemas[schema.$ref]!, value, path);
  const { type, format, enum: names, items, properties = {}, additionalProperties } = schema;
  if (type === "any") return [];
  if (type === "array")
    return Array.isArray(value)
      ? value.flatMap((one) => valueProblems(document, items!, one, `${path}[]`))
      : [`${path} is no list`];
  if (type === "object") {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path} is no object`];
    return Object.entries(value).flatMap(([name, own]) => {
      const at = `${path}.${name}`;
      const found = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
      return found === undefined ? [`${at} is not known`] : valueProblems(document, found, own, at);
    });
  }
  const isRight =
    type === "integer"
      ? Number.isInteger(value)
      : typeof value === type && (FORMATS[format ?? ""]?.test(value as string) ?? true);
  if (!isRight) return [`${path} is ${JSON.stringify(value)}, not ${format ?? type}`];
  return names === undefined || names.includes(value as string) ? [] : [`${path} is ${value as string}`];
}

/** The variable with the path of the discovery document, if exchanges are compared with it. */
export const DISCOVERY_VARIABLE = "AGNES_BIGQUERY_DISCOVERY";

/** The file, beside the document, to which the methods and problems are written, each once. */
export const reportOf = (document: string): string => `${document}.report`;

/** Returns what writes the findings of each exchange; null if none are compared. */
export function discoveryReport(): ((exchange: Exchange) => void) | null {
  const path = process.env[DISCOVERY_VARIABLE];
  if (path === undefined) return null;
  const document = JSON.parse(readFileSync(path, "utf8")) as DiscoveryDocument;
  const written = new Set<string>();
  return (exchange) => {
    const { method, problems } = discoveryFindings(document, exchange);
    const lines = [...(method === undefined ? [] : [`method ${method}`]), ...problems];
    for (const line of lines.filter((one) => !written.has(one))) {
      written.add(line);
      appendFileSync(reportOf(path), `${line}\n`);
    }
  };
}

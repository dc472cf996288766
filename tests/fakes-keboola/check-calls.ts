import { Ajv2020 } from "ajv/dist/2020.js";

import type { Host } from "agnes";

import { KEBOOLA_STACK } from "../fakes/keboola/mod.ts";
import { storageApi } from "./storage-api.ts";

type Content = { readonly content: { readonly "application/json": { readonly schema: object } } };

interface Operation {
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: Content;
  /** Without content there is no body. */
  readonly responses: Readonly<Record<string, Partial<Content>>>;
}

/** A request and its response. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** As text; empty: none. */
  readonly body: string;
  readonly response: { readonly status: number; readonly body: string };
}

/** The calls that `checkedFetch` saw, and what was wrong. */
export interface Calls {
  /** Each call by method and path of the document. */
  readonly seen: Set<string>;
  readonly problems: string[];
}

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictRequired: false });
ajv.addSchema({ $id: "api", $defs: moved(storageApi.components.schemas) });

/** Compiled once for each schema of the document. */
const validators = new Map<object, ReturnType<typeof ajv.compile>>();

/** A part of the document with references to where Ajv has its schemas. */
function moved(part: object): object {
  return JSON.parse(JSON.stringify(part).replaceAll('"#/components/schemas/', '"api#/$defs/')) as object;
}

function problemsOf(schema: object, value: unknown, place: string): readonly string[] {
  let validate = validators.get(schema);
  if (validate === undefined) {
    validate = ajv.compile(moved(schema));
    validators.set(schema, validate);
  }
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${place}${instancePath} ${message}`);
}

const operations = Object.entries(storageApi.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    name: `${method.toUpperCase()} ${path}`,
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
    operation: operation as unknown as Operation,
  })),
);

/** The names of all calls of the document. */
export const documentedCalls: readonly string[] = operations.map(({ name }) => name);

/** Checks a request and its response; returns the call, null for an unknown one, and what is wrong. */
export function checkCall(exchange: Exchange): {
  readonly name: string | null;
  readonly problems: readonly string[];
} {
  const { method, url, headers, body, response } = exchange;
  const { pathname, searchParams } = new URL(url);
  const path = pathname.replace(/^(\/v2\/storage)\/branch\/[^/]+/, "$1");
  // The first match: `/files/prepare` comes before `/files/{file_id}`.
  const found = operations.find((one) => one.method === method && one.pattern.test(path));
  if (found === undefined) return { name: null, problems: [`${method} ${pathname} is not documented`] };
  const { parameters, requestBody, responses } = found.operation;
  const unknown = [...searchParams.keys()].filter(
    (name) => !parameters.some((one) => one.in === "query" && one.name === name),
  );
  const problems = [
    ...unknown.map((name) => `the parameter ${name} is not documented`),
    ...parameters.flatMap(({ name, in: place, required, schema }) => {
      const value = place === "header" ? headers.get(name) : searchParams.get(name);
      if (place === "path" || (value === null && required !== true)) return [];
      return value === null ? [`${name} is missing`] : problemsOf(schema, value, name);
    }),
    ...bodyProblems(requestBody, { headers, body }),
    ...responseProblems(responses, response),
  ];
  return { name: found.name, problems: problems.map((problem) => `${found.name}: ${problem}`) };
}

function bodyProblems(
  documented: Content | undefined,
  { headers, body }: Pick<Exchange, "headers" | "body">,
): readonly string[] {
  if (documented === undefined) return body === "" ? [] : ["a body is not documented"];
  const type = headers.get("content-type") ?? "none";
  if (!type.startsWith("application/json")) return [`the content type is ${type}`];
  return problemsOf(documented.content["application/json"].schema, JSON.parse(body), "body");
}

function responseProblems(
  responses: Operation["responses"],
  { status, body }: Exchange["response"],
): readonly string[] {
  const documented = responses[status] ?? (status >= 400 ? responses["default"] : undefined);
  if (documented === undefined) return [`the status ${status} is not documented`];
  const schema = documented.content?.["application/json"].schema;
  if (schema === undefined) return body === "" ? [] : [`a body of ${status} is not documented`];
  return problemsOf(schema, JSON.parse(body), `response ${status}`);
}

/** A fetch that checks each call of the Storage API. Calls of the clouds pass. */
export function checkedFetch(fetch: Host["fetch"]): { readonly fetch: Host["fetch"] } & Calls {
  const calls: Calls = { seen: new Set(), problems: [] };
  const checked = async (...[input, init]: Parameters<Host["fetch"]>) => {
    const request = new Request(input as string, init);
    const body = await request.clone().text();
    const response = await fetch(input, init);
    if (new URL(request.url).origin !== new URL(KEBOOLA_STACK).origin) return response;
    const { method, url, headers } = request;
    const { name, problems } = checkCall({
      method,
      url,
      headers,
      body,
      response: { status: response.status, body: await response.clone().text() },
    });
    if (name !== null) calls.seen.add(name);
    calls.problems.push(...problems);
    return response;
  };
  return { fetch: checked as Host["fetch"], ...calls };
}

import { errors } from "./errors.ts";
import type { BigQueryOptions } from "./options.ts";

const PROJECT_VARIABLE = "BIGQUERY_PROJECT";
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings of a source: its options, completed from the environment. */
export interface Settings extends Omit<
  BigQueryOptions,
  "project" | "billingProject" | "apiEndpoint" | "storageEndpoint" | "storageRead"
> {
  readonly project: string;
  readonly billingProject: string;
  /** Without a trailing slash. */
  readonly apiEndpoint: string;
  /** The URL of the Storage Read API. Undefined: it is not used. */
  readonly storageEndpoint: string | undefined;
  /** Whether requests have a token. An emulator has none. */
  readonly isSignedIn: boolean;
}

/**
 * Completes the options from the environment.
 * @throws `bigquery/project_missing`, `bigquery/project_conflict`, `bigquery/endpoint_invalid`
 */
export function settingsOf(options: BigQueryOptions, environment: Environment = process.env): Settings {
  const project = projectOf(options.project, valueOf(environment, PROJECT_VARIABLE));
  const apiEndpoint = options.apiEndpoint ?? `https://bigquery.${options.universeDomain}`;
  const { protocol } = endpointOf(apiEndpoint, "apiEndpoint");
  return {
    ...options,
    project,
    billingProject: options.billingProject ?? project,
    apiEndpoint: apiEndpoint.replace(/\/+$/, ""),
    storageEndpoint: storageEndpointOf(options),
    isSignedIn: protocol === "https:",
  };
}

/** The value of a variable; an empty one is not set. */
export function valueOf(environment: Environment, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === undefined || value === "" ? undefined : value;
}

function projectOf(option: string | undefined, variable: string | undefined): string {
  const project = option ?? variable;
  if (project === undefined) throw errors.project_missing({ variable: PROJECT_VARIABLE });
  if (variable !== undefined && variable !== project)
    throw errors.project_conflict({ variable: PROJECT_VARIABLE, value: variable, project });
  return project;
}

/** With another API endpoint the address of the Storage Read API is not known. */
function storageEndpointOf({
  storageRead,
  storageEndpoint,
  apiEndpoint,
  universeDomain,
}: BigQueryOptions): string | undefined {
  if (!storageRead) return undefined;
  if (storageEndpoint === undefined)
    return apiEndpoint === undefined ? `https://bigquerystorage.${universeDomain}` : undefined;
  const { pathname } = endpointOf(storageEndpoint, "storageEndpoint");
  if (pathname !== "/") throw errors.endpoint_invalid({ option: "storageEndpoint", reason: "it has a path" });
  return storageEndpoint;
}

function endpointOf(text: string, option: string): URL {
  const refuse = (reason: string) => errors.endpoint_invalid({ option, reason });
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refuse(`it begins with ${url.protocol}`);
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname))
    throw refuse("it begins with http://, and its host is not a loopback address");
  if (url.username !== "" || url.password !== "") throw refuse("it contains a user or a password");
  if (url.search !== "" || url.hash !== "") throw refuse("it contains a query or a fragment");
  return url;
}

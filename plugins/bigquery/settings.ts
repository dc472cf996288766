import { errors } from "./errors.ts";
import type { BigQueryOptions } from "./options.ts";

const PROJECT_VARIABLE = "BIGQUERY_PROJECT";
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The settings of a source: its options, completed from the environment. */
export interface Settings extends Omit<
  BigQueryOptions,
  | "project"
  | "project_id"
  | "billingProject"
  | "billing_project"
  | "apiEndpoint"
  | "storageEndpoint"
  | "storageRead"
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
  const { project_id, billing_project, ...rest } = options;
  const project = sameValue("project", {
    project: options.project,
    project_id,
    [`the variable ${PROJECT_VARIABLE}`]: valueOf(environment, PROJECT_VARIABLE),
  });
  if (project === undefined) throw errors.project_missing({ variable: PROJECT_VARIABLE });
  const billingProject = sameValue("billingProject", {
    billingProject: options.billingProject,
    billing_project,
  });
  const apiEndpoint = options.apiEndpoint ?? `https://bigquery.${options.universeDomain}`;
  const { protocol } = endpointOf(apiEndpoint, "apiEndpoint");
  return {
    ...rest,
    project,
    billingProject: billingProject ?? project,
    apiEndpoint: apiEndpoint.replace(/\/+$/, ""),
    storageEndpoint: storageEndpointOf(options),
    attach: isAttachAllowed(options),
    isSignedIn: protocol === "https:",
  };
}

/** The value of a variable; an empty one is not set. */
export function valueOf(environment: Environment, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === undefined || value === "" ? undefined : value;
}

/**
 * Returns the value that is set in one or several places; undefined if there is none.
 * @throws `bigquery/project_conflict` if two of them differ
 */
function sameValue(option: string, places: Readonly<Record<string, string | undefined>>): string | undefined {
  const [first, ...others] = Object.entries(places).filter(([, value]) => value !== undefined);
  const other = others.find(([, value]) => value !== first?.[1]);
  if (first !== undefined && other !== undefined)
    throw errors.project_conflict({
      option,
      place: first[0],
      value: first[1]!,
      otherPlace: other[0],
      otherValue: other[1]!,
    });
  return first?.[1];
}

/**
 * The address of the Storage Read API; undefined if jobs read everything. The bytes of sessions are not in the list of jobs that
 * `dailyBytes` counts. With another API endpoint the address is not known.
 */
function storageEndpointOf({
  storageRead,
  dailyBytes,
  storageEndpoint,
  apiEndpoint,
  universeDomain,
}: BigQueryOptions): string | undefined {
  if (!storageRead || dailyBytes !== undefined) return undefined;
  if (storageEndpoint === undefined)
    return apiEndpoint === undefined ? `https://bigquerystorage.${universeDomain}` : undefined;
  const { pathname } = endpointOf(storageEndpoint, "storageEndpoint");
  if (pathname !== "/") throw errors.endpoint_invalid({ option: "storageEndpoint", reason: "it has a path" });
  return storageEndpoint;
}

/**
 * Whether the DuckDB extension may read tables. It finds the service by itself, reads by sessions, and its bytes are not
 * counted in `dailyBytes`.
 */
function isAttachAllowed(options: BigQueryOptions): boolean {
  const { attach, storageRead, dailyBytes, storageEndpoint, apiEndpoint, universeDomain } = options;
  const isDefault = storageEndpoint === undefined && apiEndpoint === undefined;
  return (
    attach && storageRead && dailyBytes === undefined && isDefault && universeDomain === "googleapis.com"
  );
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

import { errors } from "./errors.ts";
import type { StoredCredentials } from "./credentials.ts";
import { valueOf, type Environment, type Settings } from "./settings.ts";

type Json = Readonly<Record<string, unknown>>;

/** The addresses of the metadata server of AWS. */
const AWS_METADATA_HOSTS = ["169.254.169.254", "[fd00:ec2::254]"];
/** The keys of a `credential_source` with URLs of that server. */
const AWS_METADATA_KEYS = ["url", "region_url", "imdsv2_session_token_url"];
/** The keys with URLs of Google, which receive tokens. */
const GOOGLE_KEYS = ["token_url", "service_account_impersonation_url", "cloud_resource_manager_url"];

/** A checked external account. */
export interface ExternalAccount {
  readonly json: Json;
  readonly isAws: boolean;
}

/**
 * Checks an external account, whose file may come from others: its tokens are sent to Google only, and keys of AWS are
 * requested from the metadata server of AWS only, unless AWS_EC2_METADATA_DISABLED is true.
 * @throws `bigquery/credentials_invalid`
 */
export function externalAccountOf(
  { origin, json }: StoredCredentials,
  { universeDomain }: Pick<Settings, "universeDomain">,
  environment: Environment,
): ExternalAccount {
  const refuse = (reason: string) => errors.credentials_invalid({ origin, reason });
  const source = (json["credential_source"] ?? {}) as Json;
  if (source["executable"] !== undefined) throw refuse("it runs a program, which is not supported");
  for (const key of GOOGLE_KEYS) {
    const url = urlOf(json[key]);
    const isGoogle = url?.protocol === "https:" && url.hostname.endsWith(`.${universeDomain}`);
    if (json[key] !== undefined && !isGoogle)
      throw refuse(`its ${key} is not an https address of ${universeDomain}`);
  }
  if (source["environment_id"] === undefined) return { json, isAws: false };
  for (const key of AWS_METADATA_KEYS)
    if (source[key] !== undefined && !AWS_METADATA_HOSTS.includes(urlOf(source[key])?.hostname ?? ""))
      throw refuse(`its credential_source.${key} is not an address of the metadata server of AWS`);
  if (valueOf(environment, "AWS_EC2_METADATA_DISABLED")?.toLowerCase() !== "true")
    return { json, isAws: true };
  const allowed = Object.entries(source).filter(([key]) => !AWS_METADATA_KEYS.includes(key));
  return { json: { ...json, credential_source: Object.fromEntries(allowed) }, isAws: true };
}

function urlOf(value: unknown): URL | null {
  return typeof value === "string" && URL.canParse(value) ? new URL(value) : null;
}

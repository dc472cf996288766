import { formatDate } from "./dates.ts";
import { ApiError, denied } from "./errors.ts";
import type { KeboolaStorage } from "./storage.ts";

/** A storage token. */
export interface KeboolaToken {
  readonly id: string;
  readonly token: string;
  readonly description: string;
  /** Default: never. */
  readonly expires: Date | null;
  readonly isDisabled: boolean;
  /** Permissions by bucket; null: all buckets, `manage`. */
  readonly bucketPermissions: Readonly<Record<string, "read" | "write" | "manage">> | null;
  /** Full access to all buckets, regardless of `bucketPermissions`. Default: only if these are null. */
  readonly canManageBuckets: boolean;
  readonly canReadAllFileUploads: boolean;
}

/** What the project of a token is. */
export interface OwnerFacts {
  readonly storage: KeboolaStorage;
  readonly base: string;
  readonly backend: "snowflake" | "bigquery";
  readonly provider: string;
  readonly jobsParallelism: number;
  readonly now: Date;
}

/** Returns the token of a request, from `X-StorageApi-Token` or `Authorization: Bearer`. @throws ApiError 401 */
export function authenticate(headers: Headers, tokens: readonly KeboolaToken[], now: Date): KeboolaToken {
  const bearer = /^Bearer (.+)$/.exec(headers.get("authorization") ?? "")?.[1];
  const value = headers.get("x-storageapi-token") ?? bearer;
  const found = tokens.find(({ token }) => token === value);
  if (found === undefined || found.isDisabled || (found.expires !== null && found.expires <= now))
    throw new ApiError(401, "storage.tokenInvalid", "Invalid access token");
  return found;
}

/** @throws ApiError 403 if the token may not use the bucket */
export function checkBucket(
  token: KeboolaToken,
  bucketId: string,
  need: "read" | "write" | "manage" = "read",
): void {
  if (token.canManageBuckets || token.bucketPermissions === null) return;
  const has = token.bucketPermissions[bucketId];
  const order = ["read", "write", "manage"];
  if (has === undefined || order.indexOf(has) < order.indexOf(need)) throw denied();
}

/** The answer of `GET /tokens/verify`. */
export function describeToken(token: KeboolaToken, facts: OwnerFacts): Readonly<Record<string, unknown>> {
  const { storage, base, now } = facts;
  const isScoped = token.bucketPermissions !== null;
  const all = Object.fromEntries([...storage.buckets.keys()].map((id) => [id, "manage"]));
  return {
    id: token.id,
    created: "2021-06-23T09:33:36+0200",
    refreshed: "2021-06-23T09:33:36+0200",
    description: token.description,
    uri: `${base}/tokens/${token.id}`,
    isMasterToken: !isScoped,
    canManageBuckets: token.canManageBuckets,
    canManageTokens: !isScoped,
    canReadAllFileUploads: token.canReadAllFileUploads,
    canPurgeTrash: !isScoped,
    canManageProtectedDefaultBranch: false,
    canCreateJobs: false,
    expires: token.expires && formatDate(token.expires),
    isExpired: token.expires !== null && token.expires <= now,
    isDisabled: token.isDisabled,
    isBYODB: false,
    dailyCapacity: 0,
    token: token.token,
    bucketPermissions: token.bucketPermissions ?? all,
    creatorToken: { id: 1, description: "dev@keboola.com" },
    componentAccess: [],
    owner: describeOwner(facts),
    organization: { id: "111111" },
    ...(isScoped
      ? {}
      : { admin: { name: "Devel", id: 59, features: [], isOrganizationMember: true, role: "admin" } }),
  };
}

function describeOwner({
  storage,
  backend,
  provider,
  jobsParallelism,
}: OwnerFacts): Readonly<Record<string, unknown>> {
  const tables = [...storage.tables.values()].filter(({ source }) => source === null);
  const limit = (name: string, value: number) => ({ [name]: { name, value } });
  return {
    id: storage.project.id,
    name: storage.project.name,
    type: "production",
    region: "us-east-1",
    created: "2021-06-23T09:33:32+0200",
    expires: null,
    features: ["syrup-jobs-limit-10", "queuev2", "storage-types"],
    dataSizeBytes: 31_474_176,
    rowsCount: tables.reduce((sum, { rowsCount }) => sum + (rowsCount ?? 0), 0),
    hasMysql: false,
    hasSynapse: false,
    hasRedshift: false,
    hasSnowflake: backend === "snowflake",
    hasExasol: false,
    hasTeradata: false,
    hasBigquery: backend === "bigquery",
    defaultBackend: backend,
    hasTryModeOn: "0",
    limits: {
      ...limit("components.jobsParallelism", 10),
      ...limit("kbc.adminsCount", 10),
      ...limit("storage.dataSizeBytes", 50_000_000_000),
      ...limit("storage.jobsParallelism", jobsParallelism),
    },
    metrics: {
      ...limit("kbc.adminsCount", 1),
      ...limit("storage.dataSizeBytes", 31_474_176),
      ...limit("storage.rowsCount", tables.length),
    },
    isDisabled: false,
    billedMonthlyPrice: null,
    dataRetentionTimeInDays: 7,
    assignedBackends: [backend],
    fileStorageProvider: provider,
  };
}

import { AgnesError } from "agnes/kit";

import { statusOf, type StorageApi } from "./api.ts";
import { dateOf } from "../dates.ts";
import { errors } from "../errors.ts";
import type { Settings } from "../options.ts";
import { tokenSchema, type Token } from "./schemas.ts";
import { SharedCall } from "./shared-call.ts";

const JOBS_DEFAULT = 2;

/** The token of a source, verified once, before its first use. */
export class TokenCheck {
  readonly #api: StorageApi;
  readonly #settings: Settings;
  readonly #verified = new SharedCall((signal) => this.verify(signal));

  constructor(api: StorageApi, settings: Settings) {
    this.#api = api;
    this.#settings = settings;
  }

  /**
   * Returns what the stack knows of the token.
   * @throws `keboola/token_rejected`, `keboola/project_mismatch`
   */
  get(signal: AbortSignal): Promise<Token> {
    return this.#verified.get(signal);
  }

  /** Asks the stack again; see `get`. */
  async verify(signal: AbortSignal): Promise<Token> {
    const request = { schema: tokenSchema, what: "the token", signal };
    const token = await this.#api.call("/tokens/verify", request).catch(noStack);
    const { projectId } = this.#settings;
    const { owner } = token;
    const { tokenVariable: variable } = this.#api;
    if (projectId !== undefined && projectId !== owner.id)
      throw errors.project_mismatch({ variable, expected: projectId, found: owner.id, name: owner.name });
    if (token.isDisabled === true) throw errors.token_rejected({ variable, reason: "it is disabled" });
    if (token.isExpired === true) throw errors.token_rejected({ variable, reason: expiredOn(token) });
    if (owner.isDisabled === true)
      throw errors.token_rejected({ variable, reason: `its project ${owner.id} is disabled` });
    return token;
  }
}

/**
 * Whether the token may only read a bucket. A permission that the response does not contain is not a denial: the lists of
 * tokens for all buckets and of branches may lack some.
 */
export function isReadOnly({ canManageBuckets, bucketPermissions }: Token, bucket: string): boolean {
  return canManageBuckets !== true && bucketPermissions?.get(bucket) === "read";
}

/** The number of storage jobs that the project runs at once. */
export function jobsAtOnce({ owner }: Token): number {
  const limit = Number(owner.limits?.get("storage.jobsParallelism")?.value);
  return Number.isInteger(limit) && limit > 0 ? limit : JOBS_DEFAULT;
}

/** Every stack responds to this request; another server is not a stack. */
function noStack(error: unknown): never {
  const isOther = error instanceof AgnesError && error.code === "source_answer_invalid";
  if (!isOther && statusOf(error) !== 404) throw error;
  throw errors.stack_invalid({ reason: "it is not that of a Storage API" }, { cause: error });
}

function expiredOn({ expires }: Token): string {
  const date = dateOf(expires);
  return date === null ? "it has expired" : `it expired on ${date.toISOString().slice(0, 10)}`;
}

import type { QueryEstimate } from "../../kit/mod.ts";
import type { SourceHandle } from "../../sources/mod.ts";
import { accessDenied } from "./check-access.ts";
import type { Alias } from "./types.ts";

type EstimateOptions = Parameters<NonNullable<SourceHandle["connector"]["estimate"]>>[1];

/** What an estimate needs besides its query. */
interface EstimatePlace {
  /** Whether the caller may access some tables only, so that the errors of the source must not reach it. */
  readonly isRestricted: boolean;
  /** Receives the call of the connector, which may end after its failure was reported. */
  readonly running: Promise<unknown>[];
}

/** Estimates the query of an alias. @throws `alias_access_denied` for any error of a restricted caller */
export async function estimateAlias(
  alias: Alias,
  { connector }: SourceHandle,
  options: EstimateOptions,
  { isRestricted, running }: EstimatePlace,
): Promise<QueryEstimate> {
  if (connector.estimate === undefined) return {};
  const estimating = connector.estimate(alias.sql, options);
  running.push(estimating.catch(() => {}));
  try {
    return await estimating;
  } catch (error) {
    if (!isRestricted || options.signal.aborted) throw error;
    throw accessDenied(alias);
  }
}

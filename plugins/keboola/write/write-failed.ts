import { statusOf } from "../api/api.ts";
import { errors } from "../errors.ts";
import type { Source } from "../source.ts";
import { missingTable } from "./write-access.ts";

/** Throws the error of a request that writes. */
export function writeFailed({ api, settings }: Source, table: string): (error: unknown) => never {
  return (error) => {
    const status = statusOf(error);
    const { tokenVariable: variable } = api;
    if (status === 403)
      throw errors.write_denied({ variable, table, reason: reasonOf(error) }, { cause: error });
    if (status === 404) throw missingTable(settings, table, error);
    throw error;
  };
}

/** The reason of an error, without what was requested. */
export function reasonOf(error: unknown): string {
  const { details, message } = error as Error & { readonly details?: { readonly reason?: string } };
  return details?.reason ?? message;
}

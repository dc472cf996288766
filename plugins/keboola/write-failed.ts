import { statusOf, type StorageApi } from "./api.ts";
import { errors } from "./errors.ts";

/** Throws the error of a request that writes. */
export function writeFailed(
  { tokenVariable: variable }: Pick<StorageApi, "tokenVariable">,
  table: string,
): (error: unknown) => never {
  return (error) => {
    const status = statusOf(error);
    const cause = { cause: error };
    if (status === 403) throw errors.write_denied({ variable, table, reason: reasonOf(error) }, cause);
    if (status === 404) throw errors.table_missing({ table }, cause);
    throw error;
  };
}

/** The reason of an error, without what was requested. */
export function reasonOf(error: unknown): string {
  const { details, message } = error as Error & { readonly details?: { readonly reason?: string } };
  return details?.reason ?? message;
}

import { AgnesError, type SqlPlace } from "../base/mod.ts";

/** @throws `sql_not_allowed` */
export function refuse(reason: string, advice: string, place?: SqlPlace): never {
  throw new AgnesError("sql_not_allowed", { reason, advice, ...(place === undefined ? {} : { place }) });
}

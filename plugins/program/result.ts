import * as v from "valibot";

import type { JsonValue } from "agnes/kit";

import { errors } from "./errors.ts";

const tableResult = v.looseObject({
  error: v.optional(v.pipe(v.string(), v.maxLength(10_000))),
  state: v.optional(v.unknown()),
});

const resultLine = v.looseObject({ tables: v.optional(v.record(v.string(), tableResult), {}) });

/** What a program prints at its end. */
export interface ProgramResult {
  readonly tables: Readonly<Record<string, { readonly error?: string; readonly state?: JsonValue }>>;
}

/** Reads the last line of a program. @throws `program/result_invalid` */
export function resultOf(line: string | null): ProgramResult {
  if (line === null) throw errors.result_invalid({ reason: "it printed nothing on stdout" });
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw errors.result_invalid({ reason: "its last line on stdout is not JSON" }, { cause });
  }
  const { success, output } = v.safeParse(resultLine, value);
  if (success) return output as ProgramResult;
  throw errors.result_invalid({
    reason: "its last line on stdout has no object `tables` of objects with `error` as text",
  });
}

import { AgnesError, shown } from "../../lib/base/mod.ts";

/** The value of an option that takes a whole number above zero; `undefined` when it was not given. */
export function wholeNumber(command: string, option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value;
  const reason = `${option} should be a whole number above zero, but is ${shown(text)}`;
  throw new AgnesError("usage_wrong", { command, reason });
}

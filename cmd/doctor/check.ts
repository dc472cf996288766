import { isAgnesError, messageOf } from "../../lib/base/mod.ts";

/** The result of one check of the machine or the workspace. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  readonly message: string;
  /** The remedy. */
  readonly hint?: string;
}

/** A passed check. */
export function ok(name: string, message: string): Check {
  return { name, state: "ok", message };
}

/** A passed check with a warning. */
export function warning(name: string, message: string, hint: string): Check {
  return { name, state: "warning", message, hint };
}

/** A failed check. */
export function failed(name: string, error: unknown): Check {
  const hint = isAgnesError(error)
    ? error.hint
    : "Run the command again with --verbose and report its output.";
  return { name, state: "failed", message: messageOf(error), hint };
}

/** Runs a check. An error becomes a failed check. */
export async function attempt(
  name: string,
  look: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  try {
    return await look();
  } catch (error) {
    return [failed(name, error)];
  }
}

import { isAgnesError, messageOf } from "../../lib/base/mod.ts";

/** What one look at the machine or the workspace found. */
export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** A check that went well. */
export function ok(name: string, message: string): Check {
  return { name, state: "ok", message };
}

/** Something that works, but should be known. */
export function warning(name: string, message: string, hint: string): Check {
  return { name, state: "warning", message, hint };
}

/** What was thrown, as a finding: a doctor reports what is broken and looks further. */
export function failed(name: string, error: unknown): Check {
  const hint = isAgnesError(error)
    ? error.hint
    : "Run the command again with --verbose and report its output.";
  return { name, state: "failed", message: messageOf(error), hint };
}

/** Does a check; what it throws is its finding. */
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

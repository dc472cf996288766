import { isAgnesError, messageOf } from "../../lib/base/mod.ts";

/** The result of one check of the machine, the workspace or a server. */
export interface Check {
  readonly name: string;
  /** `unknown`: the check could not be made. */
  readonly state: "ok" | "warning" | "error" | "unknown";
  readonly message: string;
  /** The next step. */
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

/** A check that could not be made. */
export function unknown(name: string, message: string, hint: string): Check {
  return { name, state: "unknown", message, hint };
}

/** Another process uses what is to be checked, or the storage is not available for a moment. */
const TRANSIENT = new Set([
  "locked",
  "source_running",
  "already_running",
  "catalog_busy",
  "catalog_unavailable",
]);

/** A failed check, or one that could not be made because of the error. */
export function failed(name: string, error: unknown): Check {
  const message = messageOf(error);
  if (!isAgnesError(error))
    return unknown(name, message, "Run the command again with --verbose and report its output.");
  return { name, state: TRANSIENT.has(error.code) ? "unknown" : "error", message, hint: error.hint };
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

/** Runs a check that needs what other checks verify. It cannot be made if that fails. */
export async function dependent(
  name: string,
  look: () => Promise<readonly Check[]>,
): Promise<readonly Check[]> {
  return (await attempt(name, look)).map((check) =>
    check.name === name && check.state === "error" ? { ...check, state: "unknown" } : check,
  );
}

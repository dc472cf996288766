import { AgnesError } from "agnes/kit";
import { errors } from "./errors.ts";

/** The code of an error of the operating system, such as `ENOENT`; empty for anything else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The error for a file or folder that the operating system does not give. */
export function fileFailure(operation: string, path: string, error: unknown): AgnesError {
  const reason = codeOf(error) || String(error);
  return new AgnesError("file_failed", { operation, path, reason }, { cause: error });
}

/** The error for an entry that cannot be a data file or a folder of them. */
export function unusable(path: string, reason: string): AgnesError {
  return errors.entry_unusable({ path, reason });
}

export function nothingThere(path: string): AgnesError {
  return new AgnesError("source_path_empty", { path });
}

export function formatUnknown(path: string): AgnesError {
  return errors.format_unknown({ path });
}

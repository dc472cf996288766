import { AgnesError } from "agnes/kit";
import { errors } from "./errors.ts";

/** The code of a system error, such as `ENOENT`; empty for any other error. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The error for a file or folder that the operating system cannot read. */
export function fileFailure(operation: string, path: string, error: unknown): AgnesError {
  const reason = codeOf(error) || String(error);
  return new AgnesError("file_failed", { operation, path, reason }, { cause: error });
}

/** The error for an entry that is neither a data file nor a folder of data files. */
export function unusable(path: string, reason: string): AgnesError {
  return errors.entry_unusable({ path, reason });
}

export function pathEmpty(path: string): AgnesError {
  return new AgnesError("source_path_empty", { path });
}

export function formatUnknown(path: string): AgnesError {
  return errors.format_unknown({ path });
}

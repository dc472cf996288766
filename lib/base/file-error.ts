import { AgnesError, messageOf } from "./errors/mod.ts";

/** Converts an error of the operating system to `disk_full` or `file_failed`. */
export function fileError(operation: string, path: string, error: unknown): AgnesError {
  const number = errorNumber(error);
  if (number === "ENOSPC" || number === "EDQUOT" || number === "EFBIG") {
    return new AgnesError("disk_full", { path }, { cause: error });
  }
  return new AgnesError(
    "file_failed",
    { operation, path, reason: number ?? messageOf(error) },
    { cause: error },
  );
}

/** Returns the code of an error of the operating system, such as `ENOENT`. */
export function errorNumber(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

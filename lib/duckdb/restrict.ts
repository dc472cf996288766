import { quoteLiteral } from "./sql.ts";

/** Returns the statements that restrict a DuckDB instance to these files and directories and lock its settings. */
export function restrictTo(allowed: {
  /** Directories, including their subdirectories. */
  readonly directories?: readonly string[];
  /** Single files. */
  readonly paths?: readonly string[];
}): string {
  const { directories = [], paths = [] } = allowed;
  return `SET allowed_directories = [${directories.map(quoteLiteral).join(", ")}];
    SET allowed_paths = [${paths.map(quoteLiteral).join(", ")}];
    SET enable_external_access = false;
    SET lock_configuration = true;`;
}

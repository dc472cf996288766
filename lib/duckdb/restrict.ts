import { quoteLiteral } from "./sql.ts";

/** The statements after which a DuckDB instance opens no file but these, attaches nothing else, and keeps its settings. */
export function restrictTo(what: {
  /** Folders, with all below them. */
  readonly directories?: readonly string[];
  /** Single files. */
  readonly paths?: readonly string[];
}): string {
  const { directories = [], paths = [] } = what;
  return `SET allowed_directories = [${directories.map(quoteLiteral).join(", ")}];
    SET allowed_paths = [${paths.map(quoteLiteral).join(", ")}];
    SET enable_external_access = false;
    SET lock_configuration = true;`;
}

/** Paths that are part of the API, and may be shown. */
const OWN_PATH = /^\/(?:api|webhooks|metrics|openapi\.json|login)(?:\/|$)/;

/** An absolute path of at least two parts, also of Windows. */
const PATH = /(?<![\w….:/\\])(?:[A-Za-z]:[\\/]|\\\\|\/)(?:[^\s"'`<>|:,;()/\\]+[\\/])+[^\s"'`<>|:,;()/\\]*/g;

/**
 * Replaces the folders of absolute paths in all texts of a value, since they belong to the machine of the server.
 *
 * @param folders known folders, which are found even if their names contain spaces
 */
export function hidePaths(value: unknown, folders: readonly string[]): unknown {
  if (typeof value === "string") {
    const known = folders.reduce((text, folder) => text.replaceAll(folder, "…"), value);
    return known.replace(PATH, (path) => (OWN_PATH.test(path) ? path : `…/${path.split(/[\\/]/).at(-1)!}`));
  }
  if (Array.isArray(value)) return value.map((one) => hidePaths(one, folders));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, hidePaths(one, folders)]));
}

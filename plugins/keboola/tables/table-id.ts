/** The id of a table: its name is already one, unless it was registered by its bucket and its own name. */
export function tableIdOf(name: string, bucket: string | undefined): string {
  const isComplete = bucket === undefined || bucket === "" || name.startsWith(`${bucket}.`);
  return isComplete ? name : `${bucket}.${name}`;
}

/** The bucket of a table: its id without the last segment. */
export function bucketOf(tableId: string): string {
  return tableId.slice(0, Math.max(0, tableId.lastIndexOf(".")));
}

/** Whether a bucket is selected by the patterns of the options. */
export function isSelected(
  bucket: string,
  patterns:
    | { readonly include?: readonly string[] | undefined; readonly exclude?: readonly string[] | undefined }
    | undefined,
): boolean {
  const { include = ["*"], exclude = [] } = patterns ?? {};
  const matches = (pattern: string) => patternOf(pattern).test(bucket);
  return include.some(matches) && !exclude.some(matches);
}

/** A pattern in which `*` matches any characters. */
function patternOf(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}

/** The place of a table. */
export interface TablePath {
  readonly project: string;
  readonly dataset: string;
  readonly table: string;
}

/** A table in a list, and its type in BigQuery, such as `TABLE` or `VIEW`. */
export interface ListedTable extends TablePath {
  readonly type: string | undefined;
}

/**
 * Returns the place of a table by its name, `dataset.table` or `project.dataset.table`; null if it is neither. A table
 * registered by its dataset has only its own name.
 */
export function tablePathOf(name: string, project: string, dataset?: string): TablePath | null {
  const hasDataset = dataset !== undefined && dataset !== "" && !name.startsWith(`${dataset}.`);
  const parts = (hasDataset ? `${dataset}.${name}` : name).split(".");
  const table = parts.pop() ?? "";
  const datasetId = parts.pop() ?? "";
  if (table === "" || datasetId === "" || parts.some((part) => part === "")) return null;
  // The id of an old project has a domain: `example.com:shop`.
  return { project: parts.length === 0 ? project : parts.join("."), dataset: datasetId, table };
}

/** The name of a table in the source. */
export function tableNameOf({ project, dataset, table }: TablePath, ownProject: string): string {
  return project === ownProject ? `${dataset}.${table}` : `${project}.${dataset}.${table}`;
}

/** Whether a dataset is selected by the patterns of the options. */
export function isSelected(
  dataset: string,
  patterns:
    | { readonly include?: readonly string[] | undefined; readonly exclude?: readonly string[] | undefined }
    | undefined,
): boolean {
  const { include = ["*"], exclude = [] } = patterns ?? {};
  const matches = (pattern: string) => patternOf(pattern).test(dataset);
  return include.some(matches) && !exclude.some(matches);
}

/** A pattern in which `*` matches any characters. */
function patternOf(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}

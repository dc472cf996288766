/** Formats a count with its noun: `1 row`, `2 rows`, `1 entry`, `2 entries`. */
export function counted(count: number, singular: string, plural: string = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

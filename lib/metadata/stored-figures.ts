import type { CachedMetadata } from "./types.ts";

/** The figures of a table as HTTP and `--json` have them. */
export function storedFigures(metadata: CachedMetadata | null) {
  const partitions = metadata?.partitionedBy ?? [];
  return {
    rows: metadata?.rows ?? null,
    size_bytes: metadata?.sizeBytes ?? null,
    partition_by: partitions.length === 0 ? null : partitions.join(","),
    clustered_by: metadata?.clusteredBy ?? [],
    entity_type: metadata?.entityType ?? null,
    known_columns: metadata?.columns ?? [],
    columns: metadata?.columnCount ?? null,
    modified_at: metadata?.modifiedAt ?? null,
  };
}

export { inspectParquet } from "./inspect.ts";
export { openParquetFile } from "./open-parquet-file.ts";

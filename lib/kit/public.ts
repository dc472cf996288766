export {
  AgnesError,
  checkExposedName,
  checkVendorName,
  defineErrors,
  errorSpec,
  Secret,
  formatValue,
  processMark,
  toExposedName,
} from "../base/mod.ts";
export type { ErrorSpec, Log, PluginError, PluginErrors, ProcessMark } from "../base/mod.ts";
export * as arrow from "apache-arrow";
export type {
  Batch,
  CsvDialect,
  CsvOptions,
  Cursor,
  Deletions,
  FileChunk,
  FileColumn,
  FileFormat,
  FileReading,
  Filter,
  FilterValue,
  JsonValue,
  ReadChanges,
  ReadResult,
  ReadOptions,
  ReadProgress,
  ReadWindow,
  Row,
} from "./batch.ts";
export { parseFileReading } from "./file-reading.ts";
export type { Capability } from "./capability.ts";
export type {
  AnyConnector,
  CapabilityMethods,
  Change,
  ColumnToDescribe,
  CommonMethods,
  Connector,
  Health,
  MetadataChange,
  PushEvent,
  PushRequest,
  QueryEstimate,
  SelectRequest,
  SourceResult,
  WriteMetadataOptions,
  WriteMode,
  WriteOptions,
  WriteTargetOptions,
} from "./connector.ts";
export type { SourceQueryLimits, SourceQueryOptions } from "./source-query.ts";
export { isQueryArray } from "./query-parameter.ts";
export type { QueryArray, QueryParameter } from "./query-parameter.ts";
export {
  arrowColumn,
  binary,
  bool,
  date,
  decimal,
  float64,
  int32,
  int64,
  json,
  list,
  struct,
  timestamp,
  timestampWithZone,
  toSchema,
  utf8,
} from "./columns.ts";
export type { Column, ColumnOptions } from "./columns.ts";
export { cursorDate } from "./cursor-date.ts";
export { definePlugin } from "./plugin.ts";
export type {
  AnyPlugin,
  ConnectContext,
  DuckDBEngine,
  FileInput,
  InspectedFiles,
  InspectOptions,
  OptionsSchema,
  Plugin,
  SecretKind,
  SecretSpec,
  SourceQuerySchema,
} from "./plugin.ts";
export type { AttachValue, ExtensionSpec, RemoteAttachInfo } from "./remote.ts";
export { mergeParts } from "./merge-parts.ts";
export type { StreamPart } from "./merge-parts.ts";
export { withOrigin } from "./origin.ts";
export type { ColumnMetadata, EntityType, TableMetadata } from "./metadata.ts";
export { optionalPackage } from "./optional-package.ts";
export { verifyHmac } from "./hmac.ts";
export type { HmacCheck } from "./hmac.ts";
export { permanent, transient } from "./failures.ts";
export type {
  BearerSource,
  BodyPath,
  Checksum,
  DownloadFile,
  DownloadAddress,
  DownloadUrl,
  Http,
  HttpResponse,
  HttpDefaults,
  HttpDownloadRequest,
  HttpJsonRequest,
  HttpPagesRequest,
  HttpRetryOptions,
  HttpPollRequest,
  HttpQuery,
  HttpRequest,
  Paging,
} from "./http/mod.ts";
export { createRowBuilder } from "./rows/mod.ts";
export type { RowBuilder, RowBuilderOptions } from "./rows/mod.ts";
export type {
  SourceColumn,
  SourceComparison,
  SourceExpression,
  SourceOrder,
  SourceRelation,
  SourceStatement,
} from "./statement.ts";
export { filterToSql, quoteIdentifier, quoteLiteral, toSelectSql } from "./sql/mod.ts";
export type { SqlDialect } from "./sql/mod.ts";
export type { SourceJob } from "./source-job.ts";
export { table } from "./table.ts";
export type { TableInfo, TableOptions } from "./table.ts";

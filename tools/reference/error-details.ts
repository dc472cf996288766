import { parseSync } from "oxc-parser";

import { sourceFiles, walk, type SyntaxNode } from "../source.ts";
import { DETAIL_TEXTS } from "./error-texts.ts";

/** Details of every error code, as an error may have them: all of them, and without those that are optional. */
export interface ErrorExample {
  readonly whole: object;
  readonly least: object;
}

/** Details of every error code, made from the types that `errorSpec` is given. */
export function errorExamples(): ReadonlyMap<string, ErrorExample> {
  const interfaces = new Map<string, readonly SyntaxNode[]>();
  const found = new Map<string, SyntaxNode>();
  for (const { path, text } of sourceFiles([".ts"], ["lib/base/errors/", "plugins/"])) {
    collect(parseSync(path, text).program, pluginPrefix(path), interfaces, found);
  }
  return new Map([...found].map(([code, type]) => [code, exampleOf(code, type, interfaces)]));
}

/** The start of the codes that a file of a plugin declares. */
function pluginPrefix(path: string): string {
  const [top, folder] = path.split("/");
  return top === "plugins" ? `${folder}/` : "";
}

function collect(
  program: unknown,
  prefix: string,
  interfaces: Map<string, readonly SyntaxNode[]>,
  found: Map<string, SyntaxNode>,
): void {
  walk(program, (node) => {
    if (node["type"] === "TSInterfaceDeclaration") {
      interfaces.set(nameOf(node["id"]), (node["body"] as SyntaxNode)["body"] as readonly SyntaxNode[]);
    }
    const call = node["type"] === "Property" ? (node["value"] as SyntaxNode) : undefined;
    if (call?.["type"] !== "CallExpression" || nameOf(call["callee"]) !== "errorSpec") return;
    const types = (call["typeArguments"] as SyntaxNode)["params"] as readonly SyntaxNode[];
    found.set(prefix + nameOf(node["key"]), types[0]!);
  });
}

function exampleOf(code: string, type: SyntaxNode, interfaces: Interfaces): ErrorExample {
  const inline = type["members"] as readonly SyntaxNode[] | undefined;
  const members = inline ?? interfaces.get(nameOf(type["typeName"])) ?? [];
  const required = members.filter((member) => member["optional"] !== true);
  return { whole: objectOf(code, members, interfaces), least: objectOf(code, required, interfaces) };
}

type Interfaces = ReadonlyMap<string, readonly SyntaxNode[]>;

function objectOf(code: string, members: readonly SyntaxNode[], interfaces: Interfaces): object {
  return Object.fromEntries(
    members.map((member) => {
      const name = nameOf(member["key"]);
      const annotation = (member["typeAnnotation"] as SyntaxNode)["typeAnnotation"] as SyntaxNode;
      return [name, valueOf(code, name, annotation, interfaces)];
    }),
  );
}

function valueOf(code: string, name: string, type: SyntaxNode, interfaces: Interfaces): unknown {
  switch (type["type"]) {
    case "TSNumberKeyword":
      return NUMBERS[name] ?? 3;
    case "TSBooleanKeyword":
      return true;
    case "TSTypeOperator":
      return valueOf(code, name, type["typeAnnotation"] as SyntaxNode, interfaces);
    case "TSArrayType":
      return [valueOf(code, name, type["elementType"] as SyntaxNode, interfaces)];
    case "TSUnionType":
      return valueOf(code, name, (type["types"] as readonly SyntaxNode[])[0]!, interfaces);
    case "TSLiteralType":
      return (type["literal"] as SyntaxNode)["value"];
    case "TSTypeLiteral":
      return objectOf(code, type["members"] as readonly SyntaxNode[], interfaces);
    case "TSTypeReference":
      return objectOf(code, interfaces.get(nameOf(type["typeName"])) ?? [], interfaces);
    default:
      return (
        DETAIL_TEXTS[`${code}.${name}`] ??
        TEXTS[`${code}.${name}`] ??
        TEXTS[name] ??
        `the ${name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`
      );
  }
}

/** What texts of these names may be, of all codes or of one. */
const TEXTS: Readonly<Record<string, string>> = {
  "azure-tables/python_catalog.tables": "orders_index",
  "analytics_unreadable.path": "data/analytics/analytics.duckdb",
  "bigquery/access_denied.what": "table sales.orders",
  "bigquery/credentials_invalid.origin": "GOOGLE_APPLICATION_CREDENTIALS",
  "bigquery/cursor_refused.type": "FLOAT64",
  "bigquery/drive_scope_missing.what": "table sales.plan",
  "bigquery/locations_unreachable.locations": "europe-west5",
  "bigquery/not_found.what": "table sales.orders",
  "bigquery/partition_filter_required.column": "day",
  "bigquery/project_conflict.value": "shop-2",
  "bigquery/project_conflict.variable": "BIGQUERY_PROJECT",
  "bigquery/project_missing.variable": "BIGQUERY_PROJECT",
  "bigquery/scan_too_large.tables": "shop-1.sales.orders",
  "bigquery/endpoint_invalid.option": "apiEndpoint",
  "bigquery/sign_in_failed.origin": "the metadata server",
  "bigquery/statement_refused.type": "DELETE",
  "bigquery/token_rejected.origin": "GOOGLE_APPLICATION_CREDENTIALS",
  "bigquery/type_unsupported.type": "FOREIGN",
  "catalog_conflict.key": "crm.orders",
  "command_unknown.command": "qurey",
  "command_unknown.nearest": "query",
  "config_invalid.expected": "text",
  "config_invalid.key": "sources.crm.plugin",
  "config_invalid.path": "agnes.yaml",
  "config_invalid.received": "a number",
  "config_malformed.path": "agnes.yaml",
  "config_unknown_key.key": "souces",
  "config_unknown_key.nearest": "sources",
  "config_unknown_key.path": "agnes.yaml",
  "data_description_edited.path": "data_description.md",
  "data_description_malformed.path": "data_description.md",
  "extract_foreign.path": "data/extracts/crm/extract.duckdb",
  "extract_unreadable.path": "data/extracts/crm/extract.duckdb",
  "flag_unknown.nearest": "--full",
  "invalid_identifier.what": "the name of the source",
  "keboola/access_denied.what": "table in.c-crm.orders",
  "keboola/address_private.kind": "not public (private)",
  "keboola/project_mismatch.expected": "8625",
  "keboola/project_mismatch.found": "8630",
  "keboola/request_refused.what": "the export of table in.c-crm.orders",
  "keboola/access_denied.variable": "KEBOOLA_STORAGE_TOKEN",
  "keboola/project_mismatch.variable": "KEBOOLA_STORAGE_TOKEN",
  "keboola/token_rejected.variable": "KEBOOLA_STORAGE_TOKEN",
  "keboola/write_denied.variable": "KEBOOLA_STORAGE_TOKEN",
  "keboola/project_mismatch.name": "Shop",
  "keboola/branch_missing.branch": "123",
  "keboola/table_missing.branch": "123",
  "keboola/partition_filter_required.column": "created_on",
  "keboola/export_lost.what": "its file",
  "keboola/unavailable.what": "table in.c-crm.orders",
  "locked.what": "source crm",
  "plugin_invalid.file": "plugins/hubspot.ts",
  "plugin_load_failed.file": "plugins/hubspot.ts",
  "plugin_unknown.known": "files",
  "registry_export_malformed.path": "registry.json",
  "schedule_invalid.text": "every day",
  "source_unknown.known": "crm",
  "source_unknown.nearest": "crm",
  "source_unknown.source": "crn",
  "table_field_unknown.field": "primary_keys",
  "table_field_unknown.nearest": "primary_key",
  "table_import_refused.path": "registry.json",
  "workspace_exists.path": "shop/agnes.yaml",
  "table_plan_invalid.option": "--incremental-column COLUMN",
  action: "update",
  after: "nmae FROM people",
  actor: "ann",
  address: "10.0.0.5",
  capability: "query",
  before: "SELECT ",
  catalog: "tables",
  changes: "column amount is gone",
  changedSince: "7: ann update crm.orders",
  column: "amount",
  columns: "id",
  command: "agnes sync",
  descriptions: "private app token",
  differences: "column amount is missing",
  directory: "shop",
  existing: "crm.orders",
  field: "primary_key",
  fields: "query_mode",
  file: "exports/orders.csv",
  first: "orders.csv",
  flag: "--fulll",
  id: "crm.orders",
  instead: "Use the mode local.",
  key: "sources",
  host: "connection.keboola.com",
  job: "22070936",
  known: "orders",
  name: "orders",
  missing: "data/orders/1.parquet",
  nearest: "orders",
  next: "Quote arguments that contain spaces.",
  operation: "read",
  otherColumns: "id,name",
  owner: "crm.orders",
  parent: "agnes",
  path: "exports/orders.csv",
  place: "log/00000007",
  plugin: "hubspot",
  project: "shop-1",
  second: "orders.json",
  source: "crm",
  suggestion: "crm_orders",
  table: "orders",
  target: "/srv/orders.csv",
  text: "1,ann,10.50",
  type: "BIGINT",
  update: "agnes table update crm.orders",
  value: "12,5",
  variable: "KEBOOLA_STACK_URL",
  variables: "HUBSPOT_TOKEN",
  viewName: "orders",
  what: "the query",
  where: "its files",
};

/** What numbers of these names may be. */
const NUMBERS: Readonly<Record<string, number>> = {
  actualVersion: 8,
  allowed: 1000,
  attempts: 10,
  column: 8,
  compressedBytes: 1_000_000,
  current: 8,
  decompressedBytes: 2_000_000_000,
  expected: 7,
  expectedVersion: 7,
  found: 1,
  idleMs: 60_000,
  length: 2_000_000,
  limitBytes: 5 * 1024 ** 3,
  limit: 1_000_000,
  line: 12,
  maxPercent: 5,
  position: 7,
  read: 100,
  rejected: 6,
  remoteMaxBytes: 1024 ** 3,
  rowsMax: 500_000,
  retryAfterMs: 30_000,
  scannedBytes: 20 * 1024 ** 3,
  sizeBytes: 2_000_000,
  sizeBytesMax: 1_000_000,
  httpStatus: 302,
  status: 503,
  tableBytes: 2 * 1024 ** 3,
  timeoutMs: 30_000,
  totalRows: 30_000,
  version: 8,
  waitedMs: 5000,
  written: 2,
};

function nameOf(node: unknown): string {
  return String((node as SyntaxNode)["name"]);
}

import type { WorkspaceFiles } from "./write-workspace.ts";

/** The files that `agnes init` writes. */
export function initFiles(): WorkspaceFiles {
  return { "agnes.yaml": CONFIG, ".gitignore": "/data/\n/exports/\n" };
}

const CONFIG = `# An Agnes workspace. Every command works on the nearest agnes.yaml upwards.
version: 1

sources:
  # A folder of CSV, TSV, NDJSON, JSON and Parquet files: each file, or sub-folder, is a table.
  exports:
    plugin: files
    options: { path: ./exports }

  # Another DuckDB database.
  # warehouse:
  #   plugin: duckdb
  #   options: { path: ./warehouse.duckdb }

  # A connector of your own: \`agnes connector new crm --capabilities discover,read\` writes plugins/crm/plugin.ts.
  # customers:
  #   plugin: crm
  #   options: { url: "https://crm.example.com" }
  #   # When plugin.ts declares the secret CRM_TOKEN, the environment variable that holds it:
  #   # secrets: { CRM_TOKEN: CUSTOMERS_CRM_TOKEN }
`;

/** The files of a copy of the tables of a server. */
export function copyFiles(server: string): WorkspaceFiles {
  const config = `# A copy of the tables of a server. \`agnes pull\` updates it, with the token in AGNES_TOKEN.
version: 1
copy: { server: ${JSON.stringify(server)} }
`;
  return { "agnes.yaml": config, ".gitignore": "/data/\n/parquet/\n" };
}

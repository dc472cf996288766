import { group, lazy } from "./cli/command.ts";

/** Every command by name and description; its file is loaded when it is used. */
export const mainCommand = group(
  "agnes",
  "Extracts tables from the systems your team uses, stores them as DuckDB and Parquet files, and queries them with SQL",
  {
    init: lazy("init", "Create a workspace in a folder", () => import("./commands/init.ts")),
    demo: lazy(
      "demo",
      "Create a workspace over public data, sync it and run a query",
      () => import("./commands/demo.ts"),
    ),
    sync: lazy(
      "sync",
      "Extract new data from the sources and publish it",
      () => import("./commands/sync.ts"),
    ),
    runs: lazy(
      "runs",
      "List the runs of the sources, with their progress and results",
      () => import("./commands/runs.ts"),
    ),
    timeline: lazy(
      "timeline",
      "List what happened: runs, changes of columns and settings, and rollbacks",
      () => import("./commands/timeline.ts"),
    ),
    query: lazy("query", "Run SQL over all published tables", () => import("./commands/query.ts")),
    pull: lazy("pull", "Copy the tables of a server into this workspace", () => import("./commands/pull.ts")),
    push: lazy(
      "push",
      "Write the rows of a query to a table of a source",
      () => import("./commands/push.ts"),
    ),
    catalog: lazy("catalog", "List the published tables", () => import("./commands/catalog.ts")),
    schema: lazy("schema", "Show the columns of a table", () => import("./commands/schema.ts")),
    profile: lazy(
      "profile",
      "Show distributions, frequent values and alerts of a table",
      () => import("./commands/profile.ts"),
    ),
    sample: lazy("sample", "Show a few rows of a table", () => import("./commands/sample.ts")),
    connector: group("connector", "List, test and create connectors", {
      list: lazy(
        "list",
        "List the plugins and the sources that use them",
        () => import("./commands/connector/list.ts"),
      ),
      show: lazy(
        "show",
        "Show the capabilities, options and secrets of a plugin",
        () => import("./commands/connector/show.ts"),
      ),
      new: lazy("new", "Create a connector in plugins/", () => import("./commands/connector/new.ts")),
      types: lazy(
        "types",
        "Write the type declarations that editors need for the connectors in plugins/",
        () => import("./commands/connector/types.ts"),
      ),
      discover: lazy(
        "discover",
        "List the tables of a source",
        () => import("./commands/connector/discover.ts"),
      ),
      test: lazy(
        "test",
        "Run the contract suites against a source or a plugin",
        () => import("./commands/connector/test.ts"),
      ),
      health: lazy(
        "health",
        "Check that sources can be reached",
        () => import("./commands/connector/health.ts"),
      ),
    }),
    table: group("table", "Manage the table registry", {
      list: lazy("list", "List the registered tables", () => import("./commands/table/list.ts")),
      show: lazy("show", "Show the registration of a table", () => import("./commands/table/show.ts")),
      register: lazy(
        "register",
        "Register a table of a source",
        () => import("./commands/table/register.ts"),
      ),
      update: lazy(
        "update",
        "Change the registration of a table",
        () => import("./commands/table/update.ts"),
      ),
      unregister: lazy(
        "unregister",
        "Unregister a table and remove its published data",
        () => import("./commands/table/unregister.ts"),
      ),
      rollback: lazy(
        "rollback",
        "Publish an earlier generation of a source again",
        () => import("./commands/table/rollback.ts"),
      ),
      discover: lazy(
        "discover",
        "Compare sources with the registry and register new tables",
        () => import("./commands/table/discover.ts"),
      ),
      import: lazy(
        "import",
        "Register or change all tables of a file, or none of them",
        () => import("./commands/table/import.ts"),
      ),
      export: lazy(
        "export",
        "Write the registry as a data description, JSON, or its log",
        () => import("./commands/table/export.ts"),
      ),
      history: lazy(
        "history",
        "Show who changed what, and when",
        () => import("./commands/table/history.ts"),
      ),
      folder: lazy(
        "folder",
        "Show or set the folders of buckets",
        () => import("./commands/table/folder.ts"),
      ),
    }),
    metadata: group("metadata", "Cache metadata of remote tables, and write metadata back to sources", {
      refresh: lazy(
        "refresh",
        "Request the metadata of remote tables from their sources",
        () => import("./commands/metadata/refresh.ts"),
      ),
      status: lazy(
        "status",
        "Show the cached metadata of remote tables, and how current it is",
        () => import("./commands/metadata/status.ts"),
      ),
      push: lazy(
        "push",
        "Write the registered descriptions and types of columns to the source",
        () => import("./commands/metadata/push.ts"),
      ),
    }),
    serve: lazy("serve", "Serve the workspace over HTTP", () => import("./commands/serve.ts")),
    token: group("token", "Manage the tokens of the HTTP API", {
      create: lazy("create", "Create a token and print it once", () => import("./commands/token/create.ts")),
      list: lazy("list", "List the tokens", () => import("./commands/token/list.ts")),
      revoke: lazy("revoke", "Revoke a token at once", () => import("./commands/token/revoke.ts")),
    }),
    subscription: group("subscription", "Choose the tables that a server lists for copies", {
      show: lazy("show", "Show what you subscribe to", () => import("./commands/subscription/show.ts")),
      add: lazy(
        "add",
        "Subscribe to tables, groups and folders",
        () => import("./commands/subscription/add.ts"),
      ),
      remove: lazy(
        "remove",
        "Unsubscribe from tables, groups and folders",
        () => import("./commands/subscription/remove.ts"),
      ),
      reset: lazy(
        "reset",
        "Remove the settings of tables, groups and folders",
        () => import("./commands/subscription/reset.ts"),
      ),
      mode: lazy(
        "mode",
        "Subscribe to all tables, or to the chosen ones",
        () => import("./commands/subscription/mode.ts"),
      ),
      export: lazy(
        "export",
        "Write a filter of rsync for the tables you subscribe to",
        () => import("./commands/subscription/export.ts"),
      ),
    }),
    complete: lazy(
      "complete",
      "Print the completion script of a shell",
      () => import("./commands/complete.ts"),
    ),
    doctor: lazy("doctor", "Check the machine and the workspace", () => import("./commands/doctor.ts")),
  },
);

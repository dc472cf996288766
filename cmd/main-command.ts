import { group, lazy } from "./console/command.ts";

/** Every command by name and description; its file is loaded when it is used. */
export const mainCommand = group(
  "agnes",
  "Pulls tables from the systems a team uses, and answers SQL over all of them",
  {
    init: lazy("init", "Make a workspace in a folder", () => import("./commands/init.ts")),
    demo: lazy(
      "demo",
      "Make a workspace over public data, sync it and answer a question",
      () => import("./commands/demo.ts"),
    ),
    sync: lazy("sync", "Read sources and publish what they gave", () => import("./commands/sync.ts")),
    query: lazy("query", "Answer SQL over every published table", () => import("./commands/query.ts")),
    catalog: lazy("catalog", "List the tables that SQL can name", () => import("./commands/catalog.ts")),
    schema: lazy("schema", "Show the columns of a table", () => import("./commands/schema.ts")),
    sample: lazy("sample", "Show a few rows of a table", () => import("./commands/sample.ts")),
    connector: group("connector", "List, try and make connectors", {
      list: lazy(
        "list",
        "List the plugins and the sources that use them",
        () => import("./commands/connector/list.ts"),
      ),
      show: lazy(
        "show",
        "Show what a plugin can do and which options and secrets it takes",
        () => import("./commands/connector/show.ts"),
      ),
      new: lazy(
        "new",
        "Write a connector of your own into plugins/",
        () => import("./commands/connector/new.ts"),
      ),
      discover: lazy(
        "discover",
        "List the tables a source has",
        () => import("./commands/connector/discover.ts"),
      ),
      test: lazy(
        "test",
        "Run the contract suites against a source or a plugin",
        () => import("./commands/connector/test.ts"),
      ),
      health: lazy(
        "health",
        "Ask sources whether they can be reached",
        () => import("./commands/connector/health.ts"),
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

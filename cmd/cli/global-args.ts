import type { ArgsDef } from "citty";

/** The options that every command has. */
export const globalArgs = {
  workspace: {
    type: "string",
    valueHint: "DIR",
    description: "Folder of the workspace; default: AGNES_WORKSPACE, or the nearest agnes.yaml upwards",
  },
  "env-file": {
    type: "string",
    valueHint: "FILE",
    description: "File with lines NAME=value for the environment, whose own variables have precedence",
  },
  json: { type: "boolean", description: "Print results, and errors, as JSON" },
  verbose: { type: "boolean", description: "Print details, and stacks of errors" },
  quiet: { type: "boolean", description: "Print results and errors only" },
  color: {
    type: "boolean",
    default: true,
    description: "Use colours on a terminal",
    negativeDescription: "Print without colours",
  },
} as const satisfies ArgsDef;

export type GlobalArgs = typeof globalArgs;

import type { ArgsDef } from "citty";

/** The options that every command has. */
export const globalArgs = {
  workspace: {
    type: "string",
    valueHint: "DIR",
    description: "Folder of the workspace; default: AGNES_WORKSPACE, or the nearest agnes.yaml upwards",
  },
  json: { type: "boolean", description: "Print results, and errors, as JSON" },
  verbose: { type: "boolean", description: "Say more, and show the stack of an error" },
  quiet: { type: "boolean", description: "Print results, and no messages but errors" },
  color: {
    type: "boolean",
    default: true,
    description: "Colour what is printed on a terminal",
    negativeDescription: "Print without colours",
  },
} as const satisfies ArgsDef;

export type GlobalArgs = typeof globalArgs;

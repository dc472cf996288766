import { errorSpec } from "./spec.ts";

/** Errors of sources that any connector may use. */
export const sourcesErrors = {
  source_path_empty: errorSpec<{ path: string }>({
    isDataError: true,
    status: 404,
    message: (d) => `there is no file to read at ${d.path}`,
    hint: () => "Check the path in agnes.yaml; relative paths are resolved against the folder of agnes.yaml.",
  }),
  source_unhealthy: errorSpec<{ source: string; reason: string }>({
    status: 503,
    retry: "transient",
    message: (d) => `source ${d.source} is not ready: ${d.reason}`,
    hint: (d) =>
      `Nothing was read, and the published data stays. \`agnes connector health ${d.source}\` checks the source again.`,
  }),
} as const;

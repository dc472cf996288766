import { formatValue, type Host } from "../base/mod.ts";

const INTERVAL_VARIABLE = "SCHEDULER_BQ_METADATA_REFRESH_INTERVAL";
const CONCURRENCY_VARIABLE = "AGNES_BQ_METADATA_REFRESH_CONCURRENCY";
const INTERVAL_SECONDS = 4 * 60 * 60;
const INTERVAL_SECONDS_MAX = 366 * 24 * 60 * 60;
const CONCURRENCY = 4;
const CONCURRENCY_MAX = 64;

/** The settings of the metadata cache. */
export interface MetadataSettings {
  /** The interval of the scheduled refreshes, in seconds. */
  readonly intervalSeconds: number;
  /** The age up to which metadata is fresh, in seconds: two intervals, so that one refresh may fail. */
  readonly freshSeconds: number;
  /** How many tables are requested from sources at once. */
  readonly concurrency: number;
  /** One sentence for each variable whose value is not valid, so that its default is used. */
  readonly problems: readonly string[];
}

/** Reads the settings from the environment. A value that is not valid is a problem, never an error. */
export function metadataSettings(env: Host["env"]): MetadataSettings {
  const problems: string[] = [];
  const read = (name: string, initial: number, max: number): number => {
    const text = env[name]?.trim() ?? "";
    if (text === "") return initial;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= max) return value;
    problems.push(
      `${name} is ${formatValue(text)}, which is not a whole number from 1 to ${max}, so ${initial} is used`,
    );
    return initial;
  };
  const intervalSeconds = read(INTERVAL_VARIABLE, INTERVAL_SECONDS, INTERVAL_SECONDS_MAX);
  const concurrency = read(CONCURRENCY_VARIABLE, CONCURRENCY, CONCURRENCY_MAX);
  return { intervalSeconds, freshSeconds: 2 * intervalSeconds, concurrency, problems };
}

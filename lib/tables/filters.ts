import type { Filter } from "../kit/mod.ts";

/** A condition as stored in the registry. Its values may contain placeholders such as `{{today}}`. */
export interface WhereFilter {
  readonly column: string;
  readonly operator: Filter["operator"];
  readonly values: readonly (string | number | boolean)[];
}

const DAY_MS = 86_400_000;
const DAYS_AGO: Readonly<Record<string, number>> = {
  today: 0,
  last_week: 7,
  last_month: 30,
  last_2_months: 60,
  last_3_months: 90,
  last_6_months: 180,
  last_year: 365,
  last_2_years: 730,
};

/** The placeholders that values may contain. Each is replaced by a date, `YYYY-MM-DD` in UTC. */
const filterPlaceholders: readonly string[] = [...Object.keys(DAYS_AGO), "start_of_3_months_ago"];

/** Replaces the placeholders in conditions by their dates. */
export function resolveFilters(filters: readonly WhereFilter[], now: Date): readonly Filter[] {
  return filters.map((filter) => ({
    ...filter,
    values: filter.values.map((value) => (typeof value === "string" ? resolveText(value, now) : value)),
  }));
}

/** Replaces the placeholders in a text by their dates. */
export function resolveText(text: string, now: Date): string {
  return text.replace(PLACEHOLDER, (_text, name: string) => day(name.trim(), now));
}

/** The problem with the placeholders of values; `undefined` if they are valid. */
export function filterProblem(values: readonly (string | number | boolean)[]): string | undefined {
  for (const value of values) {
    for (const [, name] of typeof value === "string" ? value.matchAll(PLACEHOLDER) : []) {
      // Taken literally, an unknown placeholder would match nothing and publish an empty table.
      if (!filterPlaceholders.includes(name!.trim())) {
        return `has an unknown placeholder; known are ${filterPlaceholders.map((known) => `{{${known}}}`).join(", ")}`;
      }
    }
  }
  return undefined;
}

const PLACEHOLDER = /\{\{([^{}]*)\}\}/g;

function day(placeholder: string, now: Date): string {
  const daysAgo = DAYS_AGO[placeholder];
  const at =
    daysAgo === undefined
      ? Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 3, 1)
      : now.getTime() - daysAgo * DAY_MS;
  return new Date(at).toISOString().slice(0, 10);
}

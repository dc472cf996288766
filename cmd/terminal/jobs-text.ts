import type { SourceJob } from "../../lib/kit/mod.ts";
import { durationText, plural, sizeText } from "./figures.ts";

const FIGURES = ["processedBytes", "billedBytes", "slotMs"] as const;

/**
 * Summarises the jobs of a source: `job ID: 1.2 GB processed, 1.2 GB billed, 0.01 USD`. The figures of several jobs are
 * summed, and left out if one of them is unknown.
 */
export function jobsText(jobs: readonly SourceJob[]): string {
  const [first, ...others] = jobs;
  if (first === undefined) return "no jobs";
  const what = others.length === 0 ? `job ${first.id}` : plural(jobs.length, "job");
  const { processedBytes, billedBytes, slotMs } = sumsOf(jobs);
  const price = priceOf(jobs);
  const cached = jobs.filter(({ isCached }) => isCached === true).length;
  const parts = [
    ...(processedBytes === undefined ? [] : [`${sizeText(processedBytes)} processed`]),
    ...(billedBytes === undefined ? [] : [`${sizeText(billedBytes)} billed`]),
    ...(price === undefined ? [] : [priceText(price)]),
    ...(slotMs === undefined ? [] : [`${durationText(slotMs)} of slots`]),
    ...(cached === 0 ? [] : [others.length === 0 ? "from the cache" : `${cached} from the cache`]),
    ...endsOf(jobs),
  ];
  return parts.length === 0 ? what : `${what}: ${parts.join(", ")}`;
}

/** How jobs ended that did not succeed. Each is named if there are several. */
function endsOf(jobs: readonly SourceJob[]): readonly string[] {
  const text = (end: string, found: readonly SourceJob[]) => {
    if (found.length === 0) return [];
    return [jobs.length === 1 ? end : `${end}: ${found.map(({ id }) => id).join(", ")}`];
  };
  return [
    ...text(
      "failed",
      jobs.filter(({ status }) => status === "failed"),
    ),
    ...text(
      "stopped and may still be billed",
      jobs.filter(({ status }) => status === "cancelled" || status === "running"),
    ),
  ];
}

function sumsOf(jobs: readonly SourceJob[]): Partial<Record<(typeof FIGURES)[number], number>> {
  return Object.fromEntries(
    FIGURES.flatMap((figure) => {
      const known = jobs.flatMap(({ [figure]: count }) => count ?? []);
      return known.length < jobs.length ? [] : [[figure, known.reduce((sum, count) => sum + count, 0)]];
    }),
  );
}

/** The price of all jobs; undefined if that of one is unknown or in another currency. */
function priceOf(jobs: readonly SourceJob[]): SourceJob["price"] {
  const prices = jobs.flatMap(({ price }) => price ?? []);
  const currency = prices[0]?.currency;
  const isKnown = prices.length === jobs.length && prices.every((price) => price.currency === currency);
  return currency === undefined || !isKnown
    ? undefined
    : { amount: prices.reduce((sum, { amount }) => sum + amount, 0), currency };
}

/** `1.25 USD`; less than a cent is not shown as nothing. */
export function priceText({ amount, currency }: NonNullable<SourceJob["price"]>): string {
  const isSmall = amount > 0 && amount < 0.01;
  return isSmall ? `less than 0.01 ${currency}` : `${amount.toFixed(2)} ${currency}`;
}

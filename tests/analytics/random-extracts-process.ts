import { expectGoodStaysShown } from "./random-extracts.ts";

// Judges the seeds of one argument to another, as one of several processes; prints the counts.
const [first, last] = process.argv.slice(2).map(Number) as [number, number];
const seeds = Array.from({ length: last - first + 1 }, (_, at) => first + at);
process.stdout.write(JSON.stringify(await expectGoodStaysShown(seeds, 50)));

import { expectValidStaysPublished } from "./random-extracts.ts";

// Tests a range of seeds, as one of several processes, and prints the counts.
const [first, last] = process.argv.slice(2).map(Number) as [number, number];
const seeds = Array.from({ length: last - first + 1 }, (_, at) => first + at);
process.stdout.write(JSON.stringify(await expectValidStaysPublished(seeds, 50)));

/** Like `Promise.allSettled`, with bounded concurrency. */
export async function inParallel<T>(
  work: readonly (() => Promise<T>)[],
  concurrency: number,
): Promise<readonly PromiseSettledResult<T>[]> {
  const results: PromiseSettledResult<T>[] = [];
  let next = 0;
  const worker = async () => {
    while (next < work.length) {
      const at = next++;
      [results[at]] = (await Promise.allSettled([work[at]!()])) as [PromiseSettledResult<T>];
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, work.length) }, worker));
  return results;
}

/**
 * Yields items, and requests the next one while a small one is processed. An item must stay valid until then.
 *
 * @param isSmall whether there may be another item beside this one
 */
export async function* readAhead<T>(
  items: AsyncIterable<T>,
  isSmall: (item: T) => boolean,
): AsyncGenerator<T, void, void> {
  const iterator = items[Symbol.asyncIterator]();
  const request = () => {
    const next = iterator.next();
    // Its error is thrown in its turn.
    next.catch(() => {});
    return next;
  };
  let next: Promise<IteratorResult<T>> | null = null;
  try {
    for (;;) {
      const step: IteratorResult<T> = await (next ?? iterator.next());
      if (step.done === true) return;
      next = isSmall(step.value) ? request() : null;
      yield step.value;
    }
  } finally {
    await iterator.return?.();
  }
}

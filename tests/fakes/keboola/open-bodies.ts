/** Counts the bodies that are being read. */
export class OpenBodies {
  #open = 0;
  /** The most at once. */
  max = 0;

  /** Counts a response until its body ends, fails or is cancelled. */
  watch(response: Response): Response {
    if (response.body === null) return response;
    this.#open += 1;
    this.max = Math.max(this.max, this.#open);
    const reader = response.body.getReader();
    let isOpen = true;
    const close = () => {
      if (isOpen) this.#open -= 1;
      isOpen = false;
    };
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            const { done, value } = await reader.read();
            if (!done) return controller.enqueue(value);
            close();
            controller.close();
          } catch (error) {
            close();
            controller.error(error);
          }
        },
        async cancel(reason) {
          close();
          await reader.cancel(reason);
        },
      },
      // Without read-ahead: a body nobody reads stays open.
      { highWaterMark: 0 },
    );
    return new Response(body, response);
  }
}

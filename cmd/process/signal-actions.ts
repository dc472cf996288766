import { dlopen } from "bun:ffi";

import { withCLibrary } from "./c-library.ts";

/** Where `struct sigaction` has its flags, and the one that takes a handler away when its signal arrives. */
const LAYOUTS: Partial<Record<NodeJS.Platform, { readonly flagsAt: number; readonly resetHandler: number }>> =
  {
    linux: { flagsAt: 136, resetHandler: 0x8000_0000 },
    darwin: { flagsAt: 12, resetHandler: 0x4 },
  };

/** Larger than `struct sigaction` of any system. */
const ACTION_LENGTH = 256;

/** SIGINT and SIGTERM, which have these numbers on every system. */
const SIGNALS = [2, 15] as const;

/** Signals whose handler the kernel takes away when they arrive. */
export interface SignalActions {
  readonly signals: readonly number[];
  /** The C library, for another thread to look whether a signal has a handler. */
  readonly library: string;
  /** Gives the signals their handlers again. */
  restore(): void;
}

/**
 * Has the kernel take the handlers of SIGINT and SIGTERM away when their signal arrives, so that another thread sees
 * that it did, although JavaScript never runs them. A second signal then ends the process.
 *
 * @returns `undefined` where the system has no `sigaction`
 */
export function takeHandlersOnArrival(): SignalActions | undefined {
  const layout = LAYOUTS[process.platform];
  if (layout === undefined) return undefined;
  return withCLibrary((library) => {
    const { symbols } = dlopen(library, { sigaction: { args: ["int", "ptr", "ptr"], returns: "int" } });
    const actions = SIGNALS.map((signal) => {
      const action = new Uint8Array(ACTION_LENGTH);
      symbols.sigaction(signal, null, action);
      const view = new DataView(action.buffer);
      view.setUint32(layout.flagsAt, view.getUint32(layout.flagsAt, true) | layout.resetHandler, true);
      return { signal, action };
    });
    const restore = () => {
      for (const { signal, action } of actions) symbols.sigaction(signal, action, null);
    };
    restore();
    return { signals: SIGNALS, library, restore };
  });
}

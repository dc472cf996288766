import { dlopen } from "bun:ffi";

import { withCLibrary } from "./c-library.ts";

/** The offset of the flags in `struct sigaction`, and the flag that resets a handler when its signal arrives. */
const LAYOUTS: Partial<Record<NodeJS.Platform, { readonly flagsAt: number; readonly resetHandler: number }>> =
  {
    linux: { flagsAt: 136, resetHandler: 0x8000_0000 },
    darwin: { flagsAt: 12, resetHandler: 0x4 },
  };

/** Larger than `struct sigaction` on any system. */
const ACTION_LENGTH = 256;

/** SIGINT and SIGTERM have these numbers on all systems. */
const SIGNALS = [2, 15] as const;

/** Signals whose handler the kernel resets when they arrive. */
export interface SignalActions {
  readonly signals: readonly number[];
  /** The C library, with which another thread checks if a signal has a handler. */
  readonly library: string;
  /** Restores the handlers. */
  restore(): void;
}

/**
 * Makes the kernel reset the handlers of SIGINT and SIGTERM when their signal arrives, so that another thread can
 * detect the signal even if JavaScript never runs the handler. A second signal then ends the process.
 *
 * @returns `undefined` if the system has no `sigaction`
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

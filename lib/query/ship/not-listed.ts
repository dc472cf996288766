/** A part of a statement that is not known to have the same meaning in all sources, so that the statement is not shipped. */
export class NotListed extends Error {}

/** @throws NotListed */
export function notListed(what: string): never {
  throw new NotListed(what);
}

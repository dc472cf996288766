/** Counts the objects of all walks, since files of one table share their shapes. */
let objects = 0;

/** A number for one more object; later ones have higher numbers. */
export function nextObject(): number {
  return (objects += 1);
}

/** The number of the last object. */
export function objectsSeen(): number {
  return objects;
}

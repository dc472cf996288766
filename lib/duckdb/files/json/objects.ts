/** Counts the objects of all walks, because files of one table share their shapes. */
let objects = 0;

/** Returns the number of a new object; later objects have higher numbers. */
export function nextObject(): number {
  return (objects += 1);
}

/** The number of the last object. */
export function objectsSeen(): number {
  return objects;
}

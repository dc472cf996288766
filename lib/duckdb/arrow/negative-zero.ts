import * as arrow from "apache-arrow";

/** The upper half of a 64-bit negative zero, and a 32-bit negative zero. */
const SIGN = -(2 ** 31);
const SIGN_OF_HALF = 2 ** 15;

/**
 * Returns whether a batch may contain a floating point −0.0, nested or not. Values under a null or outside the slice of a
 * list count too.
 */
export function hasNegativeZero(batch: arrow.RecordBatch): boolean {
  return batch.data.children.some((data) => containsNegativeZero(data as arrow.Data));
}

function containsNegativeZero(data: arrow.Data): boolean {
  const type = data.type as arrow.DataType;
  if (arrow.DataType.isFloat(type))
    return type.precision === arrow.Precision.HALF ? inHalves(data) : inWords(data);
  if (arrow.DataType.isDictionary(type)) {
    return (data.dictionary?.data ?? []).some((values) => containsNegativeZero(values as arrow.Data));
  }
  return data.children.some((child) => containsNegativeZero(child as arrow.Data));
}

function inWords({ values }: arrow.Data): boolean {
  const { buffer, byteOffset, byteLength } = values as Float32Array | Float64Array;
  const words = new Int32Array(buffer, byteOffset, byteLength / 4);
  const width = (values as Float64Array).BYTES_PER_ELEMENT / 4;
  for (let word = width - 1; word < words.length; word += width) {
    if (words[word] === SIGN && (width === 1 || words[word - 1] === 0)) return true;
  }
  return false;
}

function inHalves(data: arrow.Data): boolean {
  return (data.values as Uint16Array).includes(SIGN_OF_HALF);
}

/** Sign, digits and exponent, without zeros at either end. */
export function exactNumber(numeral: string): string | null {
  const match = /^(-?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(numeral);
  if (match === null || match[2]! + match[3]! === "") return null;
  const [, sign, whole, fraction, exponent = "0"] = match;
  const digits = (whole! + fraction!).replace(/^0+/, "");
  const kept = digits.replace(/0+$/, "");
  if (kept === "") return `${sign!}0`;
  return `${sign!}${kept}e${Number(exponent) - fraction!.length + digits.length - kept.length}`;
}

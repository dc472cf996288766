import type { Dice } from "./model.ts";

/** Makes the values of one column; what holds for the column as a whole is decided once. */
export type Kind = (dice: Dice) => () => string;

const two = (value: number): string => String(value).padStart(2, "0");
const day = (dice: Dice) => ({
  y: dice.whole(1850, 2150),
  m: dice.whole(1, 12),
  d: dice.whole(1, 28),
});
const clock = (dice: Dice): string =>
  `${two(dice.whole(0, 23))}:${two(dice.whole(0, 59))}:${two(dice.whole(0, 59))}`;
const whole = (dice: Dice, digits: number): string =>
  `${dice.chance(0.3) ? "-" : ""}${dice.whole(1, 9)}${dice.digits(digits - 1)}`;
const words =
  (...list: readonly string[]): Kind =>
  (dice) =>
  () =>
    dice.pick(list);

/** A date whose day and month are distinguishable in at least some rows, or in none. */
function dayMonth(separator: string, order: "dmy" | "mdy", isAmbiguous: boolean, padded = true): Kind {
  return (dice) => () => {
    const { y, m } = day(dice);
    const d = isAmbiguous ? dice.whole(1, 12) : dice.whole(1, 28);
    const text = (value: number): string => (padded ? two(value) : String(value));
    return (order === "dmy" ? [text(d), text(m), y] : [text(m), text(d), y]).join(separator);
  };
}

function stamps(zone: (dice: Dice) => string): Kind {
  return (dice) => {
    const between = dice.pick(["T", " "]);
    const digits = dice.pick([0, 0, 3, 6]);
    return () => {
      const { y, m, d } = day(dice);
      const fraction = digits === 0 ? "" : `.${dice.digits(digits)}`;
      return `${y}-${two(m)}-${two(d)}${between}${clock(dice)}${fraction}${zone(dice)}`;
    };
  };
}

const TEXTS = [
  'say "hi"',
  "a,b",
  "a;b",
  "a|b",
  "a\tb",
  "line\nbreak",
  "crlf\r\nbreak",
  "ünï",
  "žluťoučký kůň",
  "日本語",
  "🙂👩‍👩‍👧",
  "𝒳",
  "O'Brien",
  "#hash",
  "-",
  "NULL",
  "null",
  "N/A",
  "NA",
  "nan",
  "\\N",
  "None",
  "plain",
  " lead",
  "trail ",
  '"',
  '""',
  "a\\b",
  "=1+1",
  "%",
  "€5",
  "c:\\temp\\",
  "//",
  "--",
  "{}",
  "[]",
  '{"a":1}',
  "x".repeat(300),
  "\u00a0",
  "'",
  "`",
  "a:b",
  "é",
];

/** What columns of files hold, by name. */
export const KINDS: Readonly<Record<string, Kind>> = {
  "small whole numbers": (dice) => () => String(dice.whole(-50, 5000)),
  "whole numbers of one digit": (dice) => () => String(dice.whole(0, 9)),
  "zero and one": words("0", "1"),
  "64-bit numbers": (dice) => () =>
    dice.pick(["9223372036854775807", "-9223372036854775808", "9007199254740993", whole(dice, 18)]),
  "numbers beyond 64 bit": (dice) => () =>
    dice.pick(["9223372036854775808", "18446744073709551616", whole(dice, 20), whole(dice, 30)]),
  "numbers beyond 128 bit": (dice) => () => whole(dice, 45),
  money: (dice) => () => `${dice.whole(0, 99_999)}.${dice.digits(2)}`,
  "fractions of up to six digits": (dice) => () =>
    `${dice.whole(-99, 99)}.${dice.digits(dice.whole(1, 5))}${dice.whole(1, 9)}`,
  "fractions of ten digits": (dice) => () => `${dice.whole(0, 99)}.${dice.digits(10)}`,
  "fractions of thirty digits": (dice) => () => `${dice.whole(0, 99)}.${dice.digits(30)}`,
  "doubles with exponents": (dice) => () =>
    `${dice.whole(1, 9)}.${dice.digits(4)}e${dice.pick(["+", "-", ""])}${dice.whole(1, 25)}`,
  "numbers beyond every double": (dice) => () => `${dice.whole(1, 9)}.5e${dice.whole(309, 999)}`,
  "signed zeros": words("0.0", "-0.0", "1.5"),
  "minus zero": words("0", "-0", "1"),
  "leading zeros": (dice) => () => `0${dice.digits(dice.whole(1, 5))}`,
  "digits of a fixed length": (dice) => () => dice.digits(6),
  "plus signs": (dice) => () => `+${dice.whole(1, 999)}`,
  "phone numbers": (dice) => () => `+420${dice.digits(9)}`,
  "underscored numbers": (dice) => () => `${dice.whole(1, 99)}_000`,
  "grouped numbers": (dice) => () => `${dice.whole(1, 999)},${dice.digits(3)}`,
  "decimal commas": (dice) => () => `${dice.whole(1, 999)},${dice.digits(2)}`,
  hex: (dice) => () => `0x${dice.digits(4)}`,
  "part numbers like exponents": (dice) => () => `${dice.whole(1000, 9999)}e${dice.whole(10, 99)}`,
  "part numbers like exponents with zeros": (dice) => () => `0${dice.whole(0, 9)}e${dice.whole(1, 9)}`,
  "versions of two parts": (dice) => () => `${dice.whole(1, 9)}.${dice.pick(["0", "1", "10", "20", "100"])}`,
  "versions of three parts": (dice) => () => `${dice.whole(0, 12)}.${dice.whole(0, 12)}.${dice.whole(0, 99)}`,
  addresses: (dice) => () => `10.${dice.whole(0, 255)}.${dice.whole(0, 255)}.${dice.whole(0, 255)}`,
  "long ids": (dice) => () => dice.digits(20),
  "ids beyond a double": (dice) => () => `9007199254740${dice.digits(3)}`,
  uuids: (dice) => {
    const isUpper = dice.chance(0.3);
    const hex = (count: number) =>
      Array.from({ length: count }, () => dice.whole(0, 15).toString(16)).join("");
    return () => {
      const id = `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
      return isUpper ? id.toUpperCase() : id;
    };
  },
  "true and false": words("true", "false"),
  "True and False": words("True", "False", "TRUE", "false"),
  "yes and no": words("yes", "no"),
  "t and f": words("t", "f"),
  "Y and N": words("Y", "N"),
  "country codes": words("NO"),
  "more country codes": words("NO", "SE", "DK"),
  "on and off": words("on", "off"),
  infinities: words("inf", "1.5", "-inf", "Infinity"),
  "not a number": words("nan", "1.5", "NaN"),
  percents: (dice) => () => `${dice.whole(0, 100)}%`,
  dollars: (dice) => () => `$${dice.whole(0, 100)}.00`,
  accounting: (dice) => () => `(${dice.whole(1, 100)})`,
  "padded numbers": (dice) => () => ` ${dice.whole(1, 100)}`,
  "points without a digit": (dice) => () => dice.pick([`.${dice.digits(2)}`, `${dice.whole(1, 9)}.`]),
  "ISO dates": (dice) => () => {
    const { y, m, d } = day(dice);
    return `${y}-${two(m)}-${two(d)}`;
  },
  "impossible dates": words("2024-02-30", "2024-02-29", "2023-02-28"),
  "dates without separators": (dice) => () => {
    const { m, d } = day(dice);
    return `2024${two(m)}${two(d)}`;
  },
  "dates with slashes, year first": (dice) => () => {
    const { y, m, d } = day(dice);
    return `${y}/${two(m)}/${two(d)}`;
  },
  "dotted dates": dayMonth(".", "dmy", false),
  "dotted dates without padding": dayMonth(".", "dmy", false, false),
  "ambiguous dotted dates": dayMonth(".", "dmy", true),
  "dates, day first": dayMonth("/", "dmy", false),
  "dates, month first": dayMonth("/", "mdy", false),
  "dates, month first, unpadded": dayMonth("/", "mdy", false, false),
  "ambiguous dates": dayMonth("/", "dmy", true),
  "dates with hyphens, day first": dayMonth("-", "dmy", false),
  "ambiguous dates with hyphens": dayMonth("-", "dmy", true),
  "dates with years of two digits": (dice) => () => `${two(dice.whole(1, 28))}/${two(dice.whole(1, 12))}/23`,
  "dotted numbers like dates": (dice) => () =>
    `${dice.whole(1, 12)}.${dice.whole(1, 12)}.${dice.whole(10, 31)}`,
  "ISO moments": stamps(() => ""),
  "ISO moments in UTC": stamps(() => "Z"),
  "ISO moments with an offset": stamps((dice) => dice.pick(["+02:00", "-05:30", "+00:00"])),
  "ISO moments, some with a zone": stamps((dice) => dice.pick(["", "Z"])),
  "moments to the nanosecond": (dice) => () =>
    `2024-01-${two(dice.whole(1, 28))}T${clock(dice)}.${dice.digits(9)}`,
  "days and moments": (dice) => () =>
    `2024-01-${two(dice.whole(1, 28))}${dice.chance(0.5) ? ` ${clock(dice)}` : ""}`,
  "American moments": (dice) => () =>
    `${two(dice.whole(1, 12))}/${two(dice.whole(1, 28))}/2024 ${clock(dice)}`,
  "moments of the afternoon": (dice) => () =>
    `${dice.whole(1, 12)}/${dice.whole(1, 28)}/2024 ${dice.whole(1, 12)}:${two(dice.whole(0, 59))} PM`,
  times: (dice) => () => clock(dice),
  durations: (dice) => () => `${dice.whole(0, 99)}:${two(dice.whole(0, 59))}`,
  words: (dice) => () => dice.pick(["red", "green", "blue", "Ada", "Bob"]),
  texts: (dice) => () => dice.pick(TEXTS),
  comments: (dice) => () => dice.pick(["# note", "#1", "x", "// y", "-- z"]),
  empty: () => () => "",
};

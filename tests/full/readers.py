"""Reads one file with one reader and prints its columns as JSON, values in a form that needs no reader's types.

    readers.py READER FORMAT PATH

Whole numbers, decimals, days and moments are their digits (days since 1970; units since 1970 or midnight, times of day
in nanoseconds, since readers keep them in units of their own), so that what Python's own types cannot hold, years
beyond 9999 for example, is compared all the same. Floating point numbers are `repr`, bytes hexadecimal, records lists
of their values, maps lists of pairs.
"""

import csv
import io
import json
import sys

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def canonical(array):
    import pyarrow as pa

    kind = array.type
    types = pa.types
    valid = array.is_valid().to_pylist()

    def present(values):
        return [value if ok else None for value, ok in zip(values, valid)]

    if types.is_null(kind):
        return [None] * len(array)
    if types.is_boolean(kind):
        return present(["true" if value else "false" for value in array.to_pylist()])
    if types.is_integer(kind):
        return present([str(value) for value in array.to_pylist()])
    if types.is_floating(kind):
        return present([repr(value) for value in array.to_pylist()])
    if types.is_decimal(kind):
        return present([None if value is None else format(value, "f") for value in array.to_pylist()])
    if types.is_date32(kind):
        return present([str(value) for value in array.view(pa.int32()).to_pylist()])
    if types.is_timestamp(kind):
        return present([str(value) for value in array.view(pa.int64()).to_pylist()])
    if types.is_time(kind):
        width = pa.int32() if types.is_time32(kind) else pa.int64()
        factor = NANOSECONDS[kind.unit]
        return present([None if value is None else str(value * factor) for value in array.view(width).to_pylist()])
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return present(array.to_pylist())
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
        return present([None if value is None else value.hex() for value in array.to_pylist()])
    if types.is_dictionary(kind):
        return canonical(array.dictionary_decode())
    if types.is_map(kind):
        offsets = array.offsets.to_pylist()
        keys, items = canonical(array.keys), canonical(array.items)
        return present(
            [[list(pair) for pair in zip(keys[a:b], items[a:b])] for a, b in zip(offsets, offsets[1:])]
        )
    if types.is_struct(kind):
        fields = [canonical(array.field(index)) for index in range(kind.num_fields)]
        return present([list(values) for values in zip(*fields)])
    if types.is_list(kind) or types.is_large_list(kind):
        offsets = array.offsets.to_pylist()
        items = canonical(array.values)
        return present([items[a:b] for a, b in zip(offsets, offsets[1:])])
    if types.is_fixed_size_list(kind):
        size = kind.list_size
        items = canonical(array.values)
        first = array.offset * size
        return present([items[first + row * size : first + (row + 1) * size] for row in range(len(array))])
    raise TypeError(f"no canonical form of {kind}")


def columns_of(table):
    import pyarrow as pa

    columns = {}
    for name in table.column_names:
        chunks = table.column(name).chunks
        # Slices of one buffer would hide an offset; each becomes an array of its own.
        columns[name] = [value for chunk in chunks for value in canonical(pa.concat_arrays([chunk]))]
    return columns


def with_pyarrow(form, path):
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    if form == "parquet":
        return columns_of(pa.parquet.read_table(path))
    if form == "arrow":
        with open(path, "rb") as file:
            return columns_of(pa.ipc.open_stream(file).read_all())
    names = next(csv.reader(open(path, encoding="utf8", newline="")))
    options = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    return columns_of(pa.csv.read_csv(path, convert_options=options, parse_options=parse))


def with_polars(form, path):
    import polars as pl

    if form == "parquet":
        return columns_of(pl.read_parquet(path).to_arrow())
    if form == "arrow":
        return columns_of(pl.read_ipc_stream(path).to_arrow())
    return columns_of(pl.read_csv(path, infer_schema=False).to_arrow())


def with_arrow_rs(form, path):
    import arro3.io
    import pyarrow as pa

    reader = arro3.io.read_parquet(path) if form == "parquet" else arro3.io.read_ipc_stream(path)
    return columns_of(pa.table(reader))


def with_python(form, path):
    text = open(path, encoding="utf8", newline="").read()
    if form == "csv":
        names, *rows = csv.reader(io.StringIO(text, newline=""))
        return {name: [row[at] for row in rows] for at, name in enumerate(names)}
    def load(part):
        return json.loads(part, parse_int=str, parse_float=str, object_pairs_hook=lambda pairs: dict(pairs))
    rows = load(text) if form == "json" else [load(line) for line in text.split("\n") if line]
    return {name: [row[name] for row in rows] for name in rows[0]}


READERS = {"pyarrow": with_pyarrow, "polars": with_polars, "arrow-rs": with_arrow_rs, "python": with_python}

reader, form, path = sys.argv[1:]
json.dump(READERS[reader](form, path), sys.stdout)

"""Writes a catalog with the package az-table-catalog, and prints what its queries give."""

import datetime
import json
import sys

from az_table_catalog import TableCatalogClient

catalog = TableCatalogClient(
    connection_string=sys.argv[1],
    table_name="Notes",
    wal_name="NotesLog",
    index_keys="author,year",
    row_key="id",
)
moment = datetime.datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=datetime.timezone.utc)
catalog.insert({"id": "1", "author": "Ann", "year": 2024, "done": True, "score": 1.5, "at": moment, "timestamp": "mine"})
catalog.insert({"id": "1", "author": "Bob", "year": 2024, "text": "same id"})
catalog.insert({"id": "2", "author": "ann", "year": 2025, "text": "first"})
catalog.insert({"id": "2", "author": "ann", "year": 2025, "text": "second"})
catalog.insert({"id": "3", "author": "Eve", "year": 2025, "text": "not deleted"})
catalog.delete({"author": "Eve"})
found = [record for author in ("ann", "Bob", "Eve") for record in catalog.query({"author": author})]
print(json.dumps([{**record, "at": None} if "at" in record else record for record in found]))

"""Read an Arrow stream from a URL with pyarrow. Print "broken" if it fails, otherwise the number of rows."""

import sys
import urllib.request

import pyarrow

url, token, body = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
request = urllib.request.Request(url, body.encode(), headers)
rows = 0
try:
    with urllib.request.urlopen(request) as response:
        for batch in pyarrow.ipc.open_stream(response):
            rows += batch.num_rows
    print(rows)
except Exception as error:  # Any failure is one; only a whole table is not.
    print("broken", type(error).__name__, rows)

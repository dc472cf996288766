"""What the server needs to accept enough requests."""

from itertools import count
import os

import schemathesis

numbers = count(1)
is_stateful = os.environ.get("AGNES_STATEFUL") == "1"


@schemathesis.hook
def before_call(context, case, kwargs):
    number = next(numbers)
    # An address for each request: the server limits failed sign-ins of an address, and `ignored_auth` makes many.
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    # The rules of tables reject nearly all generated ones, but the requests that follow need one.
    if is_stateful and number % 2 == 0 and case.operation.definition.raw["operationId"] == "registerTable":
        case.body = {"source": "shop", "source_table": f"made_{number}"}
        case.headers.pop("If-Match", None)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    if not is_stateful:
        return
    # Schemathesis takes an id that a client chooses for the id of something to be created first, and leaves out the request.
    query = raw_schema["paths"]["/api/query"]["post"]
    query["parameters"] = [one for one in query["parameters"] if one["in"] != "header"]
    # Random filters match no table, and a dry run registers none, so that there is no link to follow.
    for path, methods in raw_schema["paths"].items():
        if path.startswith("/api/admin/regist"):
            for operation in methods.values():
                operation["parameters"] = [
                    one for one in operation.get("parameters", []) if one["in"] != "query"
                ]

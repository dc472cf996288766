"""Writes a data_description.md as the earlier implementation does, or reads one as its readers do."""

import hashlib
import json
import re
import sys

import yaml

if sys.argv[1] == "write":
    with open(sys.argv[2]) as file:
        content = json.load(file)
    text = yaml.dump(content, default_flow_style=False, sort_keys=False, allow_unicode=True)
    checksum = hashlib.sha256(text.encode()).hexdigest()[:16]
    lines = ["<!-- AUTO-GENERATED -->", f"<!-- checksum: sha256:{checksum} -->", "", "# Data Description", ""]
    print("\n".join([*lines, "```yaml", text.rstrip(), "```"]))
else:
    with open(sys.argv[2]) as file:
        blocks = re.findall(r"```yaml\n(.*?)```", file.read(), re.DOTALL)
    print(json.dumps([yaml.safe_load(block) for block in blocks]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the documents that a test program embeds in its pages against docs/schemas.

Usage: schemas.py TEST_PROGRAM SCHEMA_FOLDER

Each document must fit its schema, and the schema must be able to refuse: a value of another type at any place that it
names is found. Needs the package jsonschema; without it the test says SKIPPED.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import jsonschema
except ImportError:
    jsonschema = None


def documents(program):
    """The embedded documents of all pages."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program], env={**os.environ, "LANCET_PAGES": folder}, check=True, stdout=subprocess.DEVNULL)
        for page in sorted(pathlib.Path(folder).glob("page_*.html")):
            text = page.read_text(encoding="utf-8")
            found = re.search(r'<script type="application/json" id="lancet-document">(.*?)</script>', text, re.S)
            if found:  # a comparison embeds nothing
                yield page.name, json.loads(found.group(1))


def places(value, path=()):
    """Paths of all members that are not lists or objects."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, path + (key,))
    elif isinstance(value, list):
        for inner in value[:1]:
            yield from places(inner, path + (0,))
    else:
        yield path


def refused(validator, document, path):
    """Is a list of nothing at this place refused?"""
    bad = copy.deepcopy(document)
    inside = bad
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = [[]]
    return not validator.is_valid(bad)


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    if jsonschema is None:
        print("SKIPPED: the Python package jsonschema is not installed")
        return 0
    failed = 0
    for name, document in documents(sys.argv[1]):
        schema = pathlib.Path(sys.argv[2]) / (document["format"].split(".")[1] + ".schema.json")
        validator = jsonschema.Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
        validator.check_schema(validator.schema)
        errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]
        if name == "page_0.html" and not errors:
            # Free-form members may hold anything.
            free = {"options", "provenance", "intervention", "cost", "baseline"}
            errors = [f"{'.'.join(map(str, path))} may be of any type" for path in places(document)
                      if not free & set(map(str, path)) and not refused(validator, document, path)]
        failed += bool(errors)
        print(f"{name} against {schema.name}: {'; '.join(errors[:8]) or 'good'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""validate.py NAME [PROGRAM]: whether standard input is JSON values that are what the schema calls NAME.

NAME is a key of "$defs" in docs/schema/PROGRAM-v1.schema.json; the program is conntrack if none is named.  All values of the input are
checked, one after the other, whatever stands between them; the number of them is printed.  A value
that is not valid, or an object with a key twice, is an error.
"""
import json
import os
import sys

try:
    import jsonschema
except ImportError:
    sys.exit("validate.py: python3-jsonschema is not installed")

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../docs/schema")


def unique(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in %r" % (pairs,))
    return value


def values(text):
    decoder = json.JSONDecoder(object_pairs_hook=unique)
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if at == len(text):
            return
        value, at = decoder.raw_decode(text, at)
        yield value


def main():
    name = sys.argv[1]
    program = sys.argv[2] if len(sys.argv) > 2 else "conntrack"
    with open(os.path.join(SCHEMAS, program + "-v1.schema.json"), encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/$defs/" + name, "$defs": schema["$defs"]},
        format_checker=jsonschema.FormatChecker())
    # What is not UTF-8 is an error here.
    text = sys.stdin.buffer.read().decode("utf-8")
    count = 0
    for value in values(text):
        for error in validator.iter_errors(value):
            sys.exit("%s: %s: %s" % (name, error.json_path, error.message))
        count += 1
    print("%s: %d valid" % (name, count))


main()

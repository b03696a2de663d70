#!/usr/bin/env python3
"""Compares answers of a real Coder server with the description of its API, for scripts/real-coder.sh.

    CODER_URL=… CODER_SESSION_TOKEN=… coder-answers.py DESCRIPTION PATH…

It reads each path (GET alone), and prints what differs: a status, a field that is missing, a type. The exit status is 1 if
anything does. Unknown fields and words do not count: versions add them.
"""
import json
import os
import sys
import urllib.error
import urllib.request

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def resolved(document, schema):
    while "$ref" in schema:
        place = document
        for part in schema["$ref"].lstrip("#/").split("/"):
            place = place[part.replace("~1", "/").replace("~0", "~")]
        schema = place
    return schema


def differences(document, schema, value, where):
    schema = resolved(document, schema)
    if value is None and (schema.get("nullable") or "null" in schema.get("type", [])):
        return []
    for key in ("anyOf", "oneOf"):
        if key in schema:
            all_of_them = [differences(document, one, value, where) for one in schema[key]]
            return min(all_of_them, key=len)
    found = []
    for one in schema.get("allOf", []):
        found += differences(document, one, value, where)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    wanted = [TYPES[kind] for kind in kinds if kind in TYPES]
    if wanted and not any(isinstance(value, kind) for kind in wanted):
        return found + [f"{where}: {type(value).__name__} and not {' or '.join(kinds)}"]
    if isinstance(value, dict):
        found += [f"{where}: no field `{name}`" for name in schema.get("required", []) if name not in value]
        for name, one in schema.get("properties", {}).items():
            if name in value:
                found += differences(document, one, value[name], f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value[:20]):
            found += differences(document, schema["items"], item, f"{where}[{index}]")
    return found


def template_of(document, path):
    parts = path.split("?")[0].split("/")
    fits = [
        template
        for template in document["paths"]
        if len(template.split("/")) == len(parts)
        and all(want.startswith("{") or want == have for want, have in zip(template.split("/"), parts))
    ]
    return min(fits, key=lambda template: template.count("{"), default=None)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def main():
    document = json.load(open(sys.argv[1]))
    opener = urllib.request.build_opener(NoRedirect)
    differ = False
    for path in sys.argv[2:]:
        template = template_of(document, path)
        if template is None or "get" not in document["paths"][template]:
            print(f"DIFFERS: GET {path}: it is not described")
            differ = True
            continue
        # the token goes to this server alone, in a header
        headers = {"Coder-Session-Token": os.environ["CODER_SESSION_TOKEN"], "Accept": "application/json"}
        request = urllib.request.Request(os.environ["CODER_URL"].rstrip("/") + path, headers=headers)
        try:
            with opener.open(request, timeout=30) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        responses = document["paths"][template]["get"]["responses"]
        if str(status) not in responses:
            found = [f"status {status}"]
        else:
            response = resolved(document, responses[str(status)])
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            try:
                found = differences(document, schema, json.loads(body), "answer") if schema else []
            except ValueError:
                found = ["the body is not JSON"]
        print(f"== GET {path}: status {status}")
        for line in found[:20]:
            differ = True
            print(f"DIFFERS: {line!a}")
    sys.exit(1 if differ else 0)


if sys.argv[1:] in (["-h"], ["--help"]):
    sys.exit(print(__doc__))
main()

#!/usr/bin/env python3
"""A git-lfs server over HTTP, which takes only those whom `git-lfs-authenticate` has let in.

    lfs.py ADDRESS PORT
"""
import http.server
import json
import sys

ADDRESS, PORT = sys.argv[1], int(sys.argv[2])
objects = {}


class Lfs(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("authorization") != "RemoteAuth rig":
            return self.send(401, b"{}")
        name = self.path.rsplit("/", 1)[1]
        if self.path.endswith("/objects/batch"):
            return self.send(200, json.dumps(self.batch(json.loads(body))).encode())
        if self.command == "PUT":
            objects[name] = body
            return self.send(200, b"")
        if self.command == "GET" and name in objects:
            return self.send(200, objects[name])
        return self.send(404, b"{}")

    do_GET = do_POST = do_PUT = answer

    def batch(self, asked):
        operation, prefix = asked["operation"], self.path.removesuffix("/batch")
        action = {operation: {"href": f"http://{ADDRESS}:{PORT}{prefix}/%s",
                              "header": {"Authorization": "RemoteAuth rig"}}}
        found = [{"oid": o["oid"], "size": o["size"]} for o in asked["objects"]]
        for o in found:
            if (o["oid"] in objects) == (operation == "download"):
                o["actions"] = json.loads(json.dumps(action) % o["oid"])
        return {"transfer": "basic", "objects": found}

    def send(self, status, raw):
        self.send_response(status)
        self.send_header("content-type", "application/vnd.git-lfs+json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


http.server.ThreadingHTTPServer((ADDRESS, PORT), Lfs).serve_forever()

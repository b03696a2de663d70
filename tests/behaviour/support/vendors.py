#!/usr/bin/env python3
"""One TLS server that plays auth.openai.com, chatgpt.com, api.openai.com, api.anthropic.com and platform.claude.com.

vendors.py FOLDER ADDRESS: FOLDER holds server.pem, server.key and behaviour.json, read anew at each request:
  {"rotation": {"id_token": …, "access_token": …},       what a refresh of Codex's login gives
   "replies": {"HOST/PATH": [STATUS, BODY], …},          answers that go before all others
   "skew": SECONDS}                                       how much later it is to the servers
Each request adds a line to FOLDER/requests.jsonl.
"""
import http.server
import json
import ssl
import sys
import threading
import time
from pathlib import Path

FOLDER = Path(sys.argv[1])
ADDRESS = sys.argv[2]

REUSED = {"error": {
    "message": "Your refresh token has already been used to generate a new access token. Please try signing in again.",
    "type": "invalid_request_error", "param": None, "code": "refresh_token_reused"}}
CLAUDE_REFUSAL = {"error": "invalid_grant", "error_description": "Refresh token not found or invalid"}
TURN_OPENAI = [
    {"type": "response.created", "response": {"id": "resp_1"}},
    {"type": "response.output_item.done", "item": {
        "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "MOCK-OK"}]}},
    {"type": "response.completed", "response": {"id": "resp_1", "usage": {
        "input_tokens": 1, "input_tokens_details": None, "output_tokens": 1, "output_tokens_details": None,
        "total_tokens": 2}}},
]
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-mock", "content": [],
           "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
TURN_ANTHROPIC = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "MOCK-OK"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
     "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
]

QUESTIONS = {"/backend-api/codex/responses": 405, "/v1/models": 401, "/oauth/token": 405, "/v1/messages": 405,
             "/v1/oauth/hello": 200}

lock = threading.Lock()
spent = set()


def accounts(account):
    """What Codex asks before its first request: where the account's workspace is served."""
    return {"accounts": [{
        "id": account, "account_id": account, "name": "Personal", "structure": "personal", "plan_type": "plus",
        "can_access_with_session": True, "sso_connection_name": None, "is_deactivated": False,
        "is_fedramp_compliant_workspace": False, "workspace_backend_origin": "https://chatgpt.com",
        "account_routing_override": "NO_CONSTRAINT", "profile_picture_url": None,
        "account_user_role": "account-owner"}], "default_account_id": account, "account_ordering": [account]}


class Vendors(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    skew = 0

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string((timestamp or time.time()) + self.skew)

    def answer(self):
        body = self.body()
        host, path = self.headers.get("host", ""), self.path.split("?")[0]
        request = {"method": self.command, "host": host, "path": path, "body": body.decode(errors="replace"),
                   "headers": {name.lower(): value for name, value in self.headers.items()}}
        with lock, open(FOLDER / "requests.jsonl", "a") as log:
            log.write(json.dumps(request) + "\n")
        behaviour = json.loads((FOLDER / "behaviour.json").read_text())
        self.skew = behaviour.get("skew", 0)
        if path.endswith("/responses") and "upgrade" in self.headers:
            # to a websocket, what makes Codex fall back to HTTP at once; it would retry any other refusal for 6 s
            return self.send(426, {})
        if self.command == "GET" and "authorization" not in self.headers and path in QUESTIONS:
            # as the providers answer without a login
            return self.send(QUESTIONS[path], {"error": {"message": "no"}})
        if host + path in behaviour["replies"]:
            return self.send(*behaviour["replies"][host + path])
        if path == "/oauth/token":
            return self.rotate(json.loads(body)["refresh_token"], behaviour["rotation"])
        if path == "/v1/oauth/token":
            return self.send(400, CLAUDE_REFUSAL)
        if path == "/backend-api/wham/accounts/check":
            return self.send(200, accounts(self.headers.get("chatgpt-account-id")))
        if path.endswith("/responses"):
            return self.stream(TURN_OPENAI)
        if path == "/v1/messages":
            if b'"stream":true' in body:
                return self.stream(TURN_ANTHROPIC)
            return self.send(200, {**MESSAGE, "content": [{"type": "text", "text": "MOCK-OK"}]})
        return self.send(404, {"error": {"message": "no such path", "type": "not_found_error"}})

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = answer

    def rotate(self, token, rotation):
        """Refresh tokens are single-use, as the real ones."""
        with lock:
            if token in spent:
                return self.send(401, REUSED)
            spent.add(token)
            return self.send(200, {**rotation, "refresh_token": f"rt_rotated_{len(spent)}"})

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        body = b""
        while length := int(self.rfile.readline(), 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def stream(self, events):
        raw = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self.send(200, raw, "text/event-stream")

    def send(self, status, body, kind="application/json"):
        raw = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        if status == 401:
            self.send_header("www-authenticate", "Basic realm=rig")
        self.end_headers()
        self.wfile.write(raw)


server = http.server.ThreadingHTTPServer((ADDRESS, 443), Vendors)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(FOLDER / "server.pem", FOLDER / "server.key")
# the handshake belongs to the connection's own thread: one slow client must not stop the others
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.handle_error = lambda *_: None
server.serve_forever()

"""What offices receive messages with: an SMTP server, a webhook receiver, and a server in the shape of LINE's Messaging API.

Prints one line of JSON with the ports, then appends one line to the file named on the command line for everything that comes in.
Each of them fails the first time that it sees a message, in one of the ways in which real ones fail; the webhook receiver verifies
signatures with the library of Standard Webhooks, LINE's retry keys are enforced.
"""

import hashlib
import json
import sys
import threading
import time
import urllib.parse
import uuid
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOKEN = "line-token"

log_lock = threading.Lock()
log = open(sys.argv[1], "a", encoding="utf-8")
quota = {"limited": 10_000, "used": 0}
seen = {}


def note(**fields):
    with log_lock:
        log.write(json.dumps(fields, ensure_ascii=False) + "\n")
        log.flush()


def times(key):
    """How often something was seen before."""
    with log_lock:
        count = seen.get(key, 0)
        seen[key] = count + 1
    return count


def mood(key, kinds):
    """In which way a message fails at first: always the same for one message."""
    return kinds[hashlib.sha256(key.encode()).digest()[0] % len(kinds)]


class Smtp:
    async def handle_DATA(self, server, session, envelope):
        message = message_from_bytes(envelope.content, policy=default)
        key = message["Message-ID"]
        attempt = times(("smtp", key))
        if attempt == 0 and mood(key, ["good", "later", "drop"]) == "later":
            note(channel="email", key=key, outcome="451")
            return "451 4.7.1 try again later"
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        note(
            channel="email",
            key=key,
            outcome="taken",
            to=envelope.rcpt_tos,
            subject=message["Subject"],
            text=parts.get("text/plain"),
            html=parts.get("text/html"),
            auto=message["Auto-Submitted"],
        )
        if attempt == 0 and mood(key, ["good", "later", "drop"]) == "drop":
            # It was taken, and the answer is lost.
            server.transport.close()
        return "250 2.0.0 queued"


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"{}", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v2/bot/message/quota":
            return self.answer(200, json.dumps({"type": "limited", "value": quota["limited"]}).encode())
        if self.path == "/v2/bot/message/quota/consumption":
            return self.answer(200, json.dumps({"totalUsage": quota["used"]}).encode())
        self.answer(404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urllib.parse.urlparse(self.path).path
        if path.startswith("/hook"):
            return self.webhook(path, body)
        if path == "/v2/bot/message/push":
            return self.push(body)
        if path == "/quota":
            quota.update(json.loads(body))
            return self.answer(200)
        if path == "/v2/bot/message/reply":
            note(channel="reply", body=json.loads(body))
            return self.answer(200)
        self.answer(404)

    def webhook(self, path, body):
        try:
            Webhook(SECRET).verify(body, dict(self.headers.items()))
        except Exception as error:  # the library has several
            note(channel="webhook", outcome="unsigned", problem=repr(error))
            return self.answer(400)
        key = self.headers["webhook-id"]
        attempt = times(("webhook", key))
        kind = mood(key, ["good", "500", "redirect", "delay", "lost", "429"])
        if attempt == 0 and kind in ("500", "redirect", "429"):
            note(channel="webhook", key=key, outcome=kind)
            if kind == "redirect":
                return self.answer(302, b"", [("Location", "/hook-elsewhere")])
            return self.answer(int(kind), b"not now", [("Retry-After", "1")])
        if path == "/hook-elsewhere":
            note(channel="webhook", key=key, outcome="followed a redirect")
        if attempt == 0 and kind == "delay":
            time.sleep(0.3)
        note(channel="webhook", key=key, outcome="taken", body=json.loads(body))
        if attempt == 0 and kind == "lost":
            # It was taken, and the answer is lost.
            self.close_connection = True
            return
        self.answer(200, b"thank you")

    def push(self, body):
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            note(channel="line", outcome="unauthorized")
            return self.answer(401)
        key = self.headers["X-Line-Retry-Key"]
        try:
            uuid.UUID(key)
            said = json.loads(body)
            problem = self.wrong(said)
        except Exception as error:
            problem = repr(error)
        if problem:
            note(channel="line", outcome="bad", problem=problem)
            return self.answer(400, json.dumps({"message": problem}).encode())
        attempt = times(("line", key))
        kind = mood(key, ["good", "429", "lost", "500"])
        taken = ("taken", key)
        if times(("is", taken)) and seen.get(taken):
            note(channel="line", key=key, outcome="409")
            return self.answer(
                409,
                json.dumps({"message": "The retry key is already accepted"}).encode(),
                [("x-line-accepted-request-id", "first")],
            )
        if attempt == 0 and kind == "429":
            note(channel="line", key=key, outcome="429")
            return self.answer(429, json.dumps({"message": "Too many requests"}).encode())
        if quota["used"] >= quota["limited"]:
            note(channel="line", key=key, outcome="monthly limit")
            return self.answer(429, json.dumps({"message": "You have reached your monthly limit."}).encode())
        if attempt == 0 and kind == "500":
            note(channel="line", key=key, outcome="500")
            return self.answer(500, b"{}")
        seen[taken] = True
        quota["used"] += 1
        note(channel="line", key=key, outcome="taken", to=said["to"], messages=said["messages"])
        if attempt == 0 and kind == "lost":
            self.close_connection = True
            return
        self.answer(200, json.dumps({"sentMessages": [{"id": "1"}]}).encode(), [("x-line-request-id", "r")])

    @staticmethod
    def wrong(said):
        """What LINE refuses of a push."""
        if not (1 <= len(said["messages"]) <= 5):
            return "messages: 1 to 5"
        for message in said["messages"]:
            if message["type"] == "text":
                if not (1 <= len(message["text"].encode("utf-16-le")) // 2 <= 5000):
                    return "text: 1 to 5000"
            elif message["type"] == "template":
                template = message["template"]
                if template["type"] != "buttons" or not (1 <= len(template["actions"]) <= 4):
                    return "actions: 1 to 4"
                if len(template["text"].encode("utf-16-le")) // 2 > 160 or len(message["altText"]) > 400:
                    return "text of a template: 160"
                for action in template["actions"]:
                    if len(action["label"]) > 20 or len(action.get("data", "")) > 300 or len(action.get("uri", "")) > 1000:
                        return "an action is too long"
            else:
                return "type"
        return None


class Quiet(Controller):
    pass


smtp = Quiet(Smtp(), hostname="127.0.0.1", port=0, ready_timeout=30)
# A free port: the controller itself cannot ask for one and tell it.
import socket

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    smtp.port = free.getsockname()[1]
smtp.start()
http = ThreadingHTTPServer(("127.0.0.1", 0), Http)
print(json.dumps({"smtp": smtp.port, "http": http.server_address[1]}), flush=True)
threading.Thread(target=http.serve_forever, daemon=True).start()
sys.stdin.read()  # until whoever started it ends

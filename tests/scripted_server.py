"""An OpenAI-compatible server in this process that says what a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "sk-very-secret-0123456789"


class Scripted:
    """A server in this process; ``reply(text, body)`` gives the answer, ``fault(text, nth)`` a status,
    ``refuse(text, body)`` the error of a status 400."""

    def __init__(self) -> None:
        self.reply = lambda text, body: "card"
        self.fault = lambda text, nth: None
        self.refuse = lambda text, body: None
        self.bodies: list[dict] = []
        self.paths: list[str] = []
        self.seen: Counter[str] = Counter()
        self.flying = self.most = 0
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = outer.handle(self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def handle(self, path, body):
        text = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        with self.lock:
            self.bodies.append(body)
            self.paths.append(path)
            self.seen[text] += 1
            self.flying += 1
            self.most = max(self.most, self.flying)
        time.sleep(0.002)
        status = self.fault(text, self.seen[text])
        with self.lock:
            self.flying -= 1
        refusal = self.refuse(text, body)
        if refusal:
            return 400, {"error": refusal}
        if status:
            return status, {"error": {"message": f"no: {SECRET}", "code": None}}
        said = self.reply(text, body)
        usage = {"prompt_tokens": len(text), "completion_tokens": len(str(said).split())}
        choice = {"index": 0, "finish_reason": "stop"}
        if isinstance(said, dict):  # a choice of its own
            choice |= said
        elif "prompt" in body:
            choice["text"] = said
        else:
            choice["message"] = {"role": "assistant", "content": said}
        return 200, {
            "id": "x",
            "object": "o",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }

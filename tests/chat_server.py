"""An OpenAI-compatible chat endpoint on the loopback, as wayward as real ones, in its own process.

Run as a script it prints its port, answers ``POST /v1/chat/completions`` and appends what it does to
a log. What it replies is a hash of the request, so the same request gets the same reply in the end,
however many faults come first. Some model names always misbehave in their own way.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

FAULTS = ("429", "500", "503", "reset", "slow", "cut body", "short body")
BROKEN = ("half-finished", "repeats", "refusal", "empty")
FORMS = ("json", "fenced", "fenced list", "prose around", "numbered", "bullets", "wrong names", "foreign")
LEADS = ("Read this:", "Note", "Text >", "A customer wrote", "Look at", "Here it is:", "Input =", "Consider")
MIDDLES = ("and decide who handles it", "\n", "\nPick one word", "- what is meant?", "\n\nSort it", "=>")
CUES = ("Answer:", "Team:", "It belongs to", "Label =", "->", "Choice:", "So it is about")
FOREIGN = (
    "Lies dies: ",
    "Lisez ceci : ",
    "\u8bf7\u9605\u8bfb\uff1a",
    "\u041f\u0440\u043e\u0447\u0442\u0438: ",
)


def digest(*parts: object) -> int:
    return int(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12], 16)


def templates(key: int, count: int, names: list[str]) -> list[str]:
    found = []
    for i in range(count):
        lead, middle, cue = (
            words[digest(key, i, n) % len(words)] for n, words in enumerate((LEADS, MIDDLES, CUES))
        )
        fields = " / ".join("{" + name + "}" for name in names)
        found.append(f'{lead} "{fields}" {middle} (v{digest(key, i) % 10**6})\n{cue}')
    return found


def written(form: str, texts: list[str]) -> str:
    """The reply as a model of that habit writes it."""
    whole = json.dumps({"prompts": texts}, ensure_ascii=False, indent=1)
    quoted = [json.dumps(text, ensure_ascii=False) for text in texts]
    return {
        "json": whole,
        "fenced": f"```json\n{whole}\n```",
        "fenced list": f"Here:\n\n```\n[{', '.join(quoted)}]\n```\n\nLet me know if {{you}} need more.",
        "prose around": f"Sure, these use the {{placeholders}} asked for:\n{whole}\nI varied the tone.",
        "numbered": "\n".join(f"{i}. {text}" for i, text in enumerate(quoted, 1)) + "\n\nEnjoy!",
        "bullets": "Templates:\n\n" + "\n".join(f"- {text}" for text in quoted),
        "wrong names": whole.replace("{", "{{").replace("}", "}}")[1:-1],
        "foreign": json.dumps({"prompts": [FOREIGN[i % 4] + t for i, t in enumerate(texts)]}),
        "half-finished": whole[: len(whole) * 2 // 3],
        "repeats": json.dumps({"prompts": [texts[i // 2] for i in range(len(texts))]}),
        "refusal": "I am sorry, but I cannot help with that.",
        "empty": "",
    }[form]


def reply_to(body: dict, broken: float) -> str:
    text = body["messages"][-1]["content"]
    count = int(re.search(r"exactly (\d+) templates", text)[1])
    names = re.findall(r"\{(\w+)\}", re.search(r"exactly once: (.*?)\.", text)[1])
    key = digest(body)
    forms = BROKEN if digest(key, "broken") % 1000 < broken * 1000 else FORMS
    form = "refusal" if body["model"] == "useless" else forms[digest(key, "form") % len(forms)]
    return written(form, templates(key, count, names))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options: argparse.Namespace
    lock = threading.Lock()
    seen: ClassVar[Counter[int]] = Counter()

    def log_message(self, *args):
        pass

    def note(self, event: str, body: dict) -> None:
        row = {"event": event, "model": body["model"], "seed": body.get("seed"), "time": time.time()}
        with self.lock, Path(self.options.log).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.note("request", body)
        with self.lock:
            self.seen[digest(body)] += 1
            nth = self.seen[digest(body)]
        fault = self.fault(body, nth)
        with contextlib.suppress(ConnectionError):
            if fault is None:
                time.sleep(self.options.delay)
                self.send(200, self.completion(body))
                self.note("reply", body)
            else:
                self.note(fault, body)
                self.misbehave(fault, body)

    def fault(self, body: dict, nth: int) -> str | None:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if key.startswith("wrong"):
            return "401"
        if body["model"] in ("busy", "patient", "unknown", "broke", "wordless", "page"):
            return body["model"]
        if body["model"] == "reasoning" and "max_tokens" in body:
            return "reasoning"
        if digest(body, nth, self.options.seed) % 1000 < self.options.faults * 1000:
            return FAULTS[digest(body, nth, "kind") % len(FAULTS)]
        return None

    def misbehave(self, fault: str, body: dict) -> None:
        error = {"error": {"message": f"{fault} for {self.headers.get('Authorization')}", "code": None}}
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault == "slow":
            time.sleep(self.options.slow)
            self.send(200, self.completion(body))
        elif fault == "cut body":
            self.send(200, self.completion(body)[:-40])
        elif fault == "short body":
            self.send(200, self.completion(body)[:-40], claimed=40)
        elif fault == "page":
            self.send(200, "<html>It works!</html>", kind="text/html")
        elif fault == "wordless":
            self.send(200, json.dumps({"error": {"message": "upstream failed"}}))
        elif fault == "broke":
            error["error"]["code"] = "insufficient_quota"
            self.send(429, json.dumps(error))
        elif fault == "reasoning":
            error["error"]["message"] = "Unsupported parameter: use 'max_completion_tokens' instead."
            self.send(400, json.dumps(error))
        else:
            status = {"busy": 429, "patient": 429, "unknown": 404}.get(fault) or int(fault)
            wait = "3600" if fault == "patient" else "0.05"
            self.send(status, json.dumps(error), headers={"Retry-After": wait} if status == 429 else {})

    def completion(self, body: dict) -> str:
        text = reply_to(body, self.options.broken)
        usage = {"prompt_tokens": 400, "completion_tokens": len(text) // 4}
        message = {"role": "assistant", "content": text}
        row = {"id": "x", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage}
        if body["model"] == "uncounted":
            del row["usage"]
        return json.dumps({**row, "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})

    def send(self, status, text, *, kind="application/json", headers=(), claimed=0):
        data = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, **dict(headers)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data) + claimed))
        self.end_headers()
        self.wfile.write(data)
        if claimed:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True


class ChatServer:
    """The server as a child process; a context manager.

    ``faults`` is the share of requests that fail, ``broken`` that of replies that hold too little,
    ``slow`` the seconds of a reply that comes too late, ``delay`` those of any other.
    """

    def __init__(self, log: Path, **options: float) -> None:
        self.log = log
        settings = {"faults": 0.0, "broken": 0.0, "slow": 3.0, "delay": 0.0, "seed": 0, **options}
        flags = [f"--{name}={value}" for name, value in settings.items()]
        self._process = subprocess.Popen(
            [sys.executable, __file__, f"--log={log}", *flags], stdout=subprocess.PIPE, text=True
        )
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"

    def __enter__(self) -> ChatServer:
        return self

    def __exit__(self, *exception) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def events(self, kind: str | None = None) -> list[dict]:
        """What the server did, in order."""
        if not self.log.exists():
            return []
        rows = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if kind in (None, row["event"])]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    for name in ("faults", "broken", "slow", "delay", "seed"):
        parser.add_argument(f"--{name}", type=float, required=True)
    Handler.options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    parent = os.getppid()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    while os.getppid() == parent:  # a test run that was killed leaves no server behind
        time.sleep(0.2)


if __name__ == "__main__":
    main()

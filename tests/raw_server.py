"""A server on the loopback that answers each request by a function, in a thread of this process."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(text="ok", **usage):
    message = {"role": "assistant", "content": text}
    told = {"usage": usage} if usage else {}
    return {"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": message}], **told}


class Server:
    """Answers every request by ``answer(handler)``; keeps paths and headers."""

    def __init__(self, answer):
        seen = self.seen = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                with contextlib.suppress(ConnectionError):
                    answer(self)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._server.shutdown()
        self._server.server_close()


def send(handler, status, body, **headers):
    data = json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **headers}.items():
        handler.send_header(name, str(value))
    handler.end_headers()
    handler.wfile.write(data)

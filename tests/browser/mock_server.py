#!/usr/bin/env python3
"""A server that answers as `addend serve` does, without a model: what it says depends on the last message. For tests of the chat
page, and to work on it by hand:

    tests/browser/mock_server.py [PORT]
"""
import http.server
import json
import pathlib
import sys
import threading
import time

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "src/serve/page/index.html"
KEY = "right key"
MARKDOWN = """# A heading

Some **bold** and *slanted* text with `code <b>` in it.
Second line.

1. one
2. two
   - inner
     goes on
- a list of another kind

> quoted

```python
print("<script>alert(1)</script>")
```

<img src=x onerror="alert(1)"> [link](https://example.com) ![picture](https://example.com/x.png)
** not bold ** and ` an open one
"""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def send(self, status, body, content_type="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, message, **headers):
        self.send(status, {"error": {"message": message, "type": "error", "param": None, "code": None}}, **headers)

    def authorised(self):
        if not self.server.wants_key or self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self.refuse(401, "no key")
        return False

    def do_GET(self):
        if self.path == "/":
            self.send(200, PAGE.read_bytes(), "text/html; charset=utf-8")
        elif self.path == "/v1/models" and self.authorised():
            self.send(200, {"object": "list", "data": [{"id": "mock <model>", "object": "model"}]})
        elif self.path != "/v1/models":
            self.refuse(404, "there is nothing here")

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.authorised():
            return
        self.server.requests.append(request)
        text = request["messages"][-1]["content"]
        if text == "busy":
            self.refuse(429, "8 others are waiting", Retry_After="1")
        elif text == "too long":
            self.refuse(400, "the prompt has 9000 tokens, the context 8192")
        else:
            self.stream(text)

    def event(self, data):
        piece = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.flush()

    def chunk(self, delta=None, finish=None, usage=None):
        choices = [] if usage else [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
        self.event(json.dumps({"object": "chat.completion.chunk", "choices": choices, "usage": usage}, ensure_ascii=False))

    def stream(self, text):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self.write_answer(text)
        except (BrokenPipeError, ConnectionResetError):
            self.server.stopped.set()
            self.close_connection = True

    def write_answer(self, text):
        self.chunk({"role": "assistant", "content": ""})
        if text == "thinks long" and len(self.server.requests) == 1:
            time.sleep(3)
        words = ["Grüße", ",", " world", ".", f" Answer {len(self.server.requests)}", "."]
        if text == "markdown":
            words = [MARKDOWN[i:i + 7] for i in range(0, len(MARKDOWN), 7)]
        if text == "slow":
            words = (f" word{i}." for i in range(100_000))
        for word in words:
            self.chunk({"content": word})
            time.sleep(self.server.pause)
        if text == "cut":  # in the middle of the stream
            self.wfile.flush()
            time.sleep(1)  # a browser drops what it has not read when the connection breaks
            self.connection.shutdown(2)
            self.close_connection = True
            return
        if text == "fails":
            self.event(json.dumps({"error": {"message": "the model overflowed"}}))
        else:
            self.chunk(finish="length" if text == "long" else "stop")
            self.chunk(usage={"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26,
                              "prompt_tokens_details": {"cached_tokens": 12}})
            self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")


class MockServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port=0, pause=0.002):
        super().__init__(("127.0.0.1", port), Handler)
        self.requests, self.wants_key, self.pause = [], False, pause
        self.stopped = threading.Event()  # a reader went away in the middle of an answer

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/"


if __name__ == "__main__":
    server = MockServer(int(sys.argv[1]) if len(sys.argv) > 1 else 8081, pause=0.03)
    print(server.address)
    server.serve_forever()

#!/usr/bin/env python3
"""Starts `addend serve` on a tiny model and talks to it as clients do, polite ones and others. Standard library only.

    tests/serve/server_test.py build/release/addend [Class[.test]]
"""
import concurrent.futures
import http.client
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parent.parent
ADDEND = None  # the program, from the command line
LONG = 60  # seconds: longer than anything here takes
GREEDY = {"prompt": "Hello", "max_tokens": 8, "temperature": 0, "ignore_eos": True}
FOREVER = GREEDY | {"max_tokens": 90000}


def make_model(folder):
    """The tiny model with a tokenizer, under the name `tiny`."""
    model = folder / "tiny"
    shutil.copytree(TESTS / "golden/tiny_models/llama", model)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TESTS / "cli" / name, model)
    return model


class Server:
    """A running server; a context manager."""

    def __init__(self, model, *options):
        self.process = subprocess.Popen([ADDEND, "serve", model, "--port", "0", "--chat-template", "chatml", *options],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on http://127.0.0.1:"), (line, self.process.stderr.read())
        self.port = int(line.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.communicate()

    def stop(self, signal_number=signal.SIGTERM):
        """Asks it to end; returns the exit code and standard error."""
        self.process.send_signal(signal_number)
        errors = self.process.communicate(timeout=LONG)[1]
        return self.process.returncode, errors.decode()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)

    def ask(self, method, path, body=None, headers={}):
        """One request on a connection of its own: status, headers, body (JSON where it is)."""
        connection = self.connect()
        try:
            content = json.dumps(body) if isinstance(body, (dict, list)) else body
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            text = response.read()
            is_json = (response.getheader("Content-Type") or "").startswith("application/json")
            return response.status, response.headers, json.loads(text) if is_json else text.decode()
        finally:
            connection.close()

    def complete(self, body):
        status, _, reply = self.ask("POST", "/v1/completions", body)
        assert status == 200, reply
        return reply

    def raw(self, *pieces, pause=0.0):
        """Sends bytes as they are; returns all that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=LONG) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(pause)
            except OSError:  # it closed already: what it said can still be read
                pass
            received = b""
            try:
                while block := connection.recv(65536):
                    received += block
            except ConnectionResetError:
                pass
            return received

    def metric(self, name):
        for line in self.ask("GET", "/metrics")[2].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)

    def await_metric(self, name, value):
        end = time.monotonic() + LONG
        while self.metric(name) != value:
            assert time.monotonic() < end, f"{name} did not become {value}"
            time.sleep(0.01)


def events(response):
    """The data of a stream's events."""
    return [event.removeprefix("data: ") for event in response.read().decode().split("\n\n") if event]


class ServerTest(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-serve-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.model = make_model(cls.folder)
        cls.server = Server(cls.model, *cls.options)
        cls.addClassCleanup(cls.server.__exit__)

    def assert_refused(self, reply, status, *parts):
        """An error in OpenAI's form."""
        self.assertEqual(reply[0], status, reply)
        error = reply[2]["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        for part in parts:
            self.assertIn(part, error["message"])

    def assert_alive(self):
        self.assertEqual(self.server.ask("GET", "/health")[2], {"status": "ok"})


class Api(ServerTest):
    options = ("-c", "512", "--parallel", "3")

    def test_what_it_tells_about_itself(self):
        status, headers, models = self.server.ask("GET", "/v1/models")
        self.assertEqual(status, 200)
        self.assertEqual([model["id"] for model in models["data"]], ["tiny"])
        self.assertEqual(self.server.ask("GET", "/v1/models/tiny")[2], models["data"][0])
        self.assertIn("<html", self.server.ask("GET", "/")[2])
        self.assertEqual(self.server.ask("HEAD", "/")[2], "")
        self.assertEqual(self.server.metric("addend_slots"), 3)

    def test_tokens(self):
        info = self.server.ask("GET", "/tokenizer_info")[2]
        self.assertEqual((info["bos_token"], info["eos_token"], info["vocab_size"]), ("<s>", "</s>", 320))
        ask = {"prompt": "Hello there", "add_special_tokens": False}
        tokens = self.server.ask("POST", "/tokenize", ask)[2]["tokens"]
        self.assertEqual(self.server.ask("POST", "/detokenize", {"tokens": tokens})[2], {"prompt": "Hello there"})
        self.assertEqual(self.server.ask("POST", "/tokenize", ask | {"prompt": "</s>"})[2]["tokens"], [2])

    def test_completion(self):
        reply = self.server.complete(GREEDY)
        self.assertEqual(reply["usage"]["completion_tokens"], 8)
        self.assertEqual(reply, reply | {"object": "text_completion", "model": "tiny"})
        again = self.server.complete(GREEDY)
        self.assertEqual(again["choices"], reply["choices"])
        self.assertNotEqual(again["id"], reply["id"])

    def test_the_same_as_run(self):
        result = subprocess.run([ADDEND, "run", self.model, "-p", "Hello", "-n", "8", "--temp", "0", "--quiet"],
                                capture_output=True, timeout=LONG)
        body = {key: value for key, value in GREEDY.items() if key != "ignore_eos"}
        self.assertEqual(result.stdout.decode(errors="replace").rstrip("\n"),
                         self.server.complete(body)["choices"][0]["text"].rstrip("\n"))

    def test_many_at_once_get_what_each_gets_alone(self):
        bodies = [GREEDY | {"prompt": "word " * (1 + 3 * i), "max_tokens": 20 + i} for i in range(12)]
        alone = [self.server.complete(body)["choices"] for body in bodies]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            together = [reply["choices"] for reply in pool.map(self.server.complete, bodies)]
        self.assertEqual(together, alone)

    def test_stream(self):
        whole = self.server.complete(GREEDY)
        for headers in [{}, {"Accept-Encoding": "gzip, br"}]:
            connection = self.server.connect()
            connection.request("POST", "/v1/completions", json.dumps(GREEDY | {"stream": True}), headers)
            response = connection.getresponse()
            self.assertEqual(response.getheader("Content-Type"), "text/event-stream")
            data = events(response)
            self.assertEqual(data[-1], "[DONE]")
            chunks = [json.loads(event) for event in data[:-1]]
            self.assertEqual("".join(chunk["choices"][0]["text"] for chunk in chunks), whole["choices"][0]["text"])
            self.assertGreater(len(chunks), 2)
            # The same connection serves the next request.
            connection.request("GET", "/health")
            self.assertEqual(connection.getresponse().read(), b'{"status":"ok"}')
            connection.close()

    def test_stream_for_http_1_0(self):
        body = json.dumps(GREEDY | {"stream": True}).encode()
        received = self.server.raw(b"POST /v1/completions HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        head, _, rest = received.partition(b"\r\n\r\n")
        self.assertNotIn(b"chunked", head)
        self.assertTrue(rest.startswith(b"data: {"), rest)
        self.assertTrue(rest.endswith(b"data: [DONE]\n\n"), rest)

    def test_chat(self):
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "temperature": 0}
        status, _, reply = self.server.ask("POST", "/v1/chat/completions", body)
        self.assertEqual(status, 200, reply)
        self.assertEqual(reply["choices"][0]["message"]["role"], "assistant")

    def test_a_body_in_chunks_and_of_any_declared_type(self):
        body = json.dumps(GREEDY).encode()
        for content_type in (None, "application/json", "application/x-www-form-urlencoded",
                             "multipart/form-data; boundary=x", "text/plain"):
            headers = {"Content-Type": content_type} if content_type else {}
            self.assertEqual(self.server.ask("POST", "/v1/completions", body, headers)[0], 200, content_type)
        connection = self.server.connect()
        connection.request("POST", "/v1/completions", iter([body[:5], body[5:]]), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_refusals(self):
        ask = self.server.ask
        self.assert_refused(ask("POST", "/v1/completions", "{"), 400, "not valid JSON")
        self.assert_refused(ask("POST", "/v1/completions", "[" * 200000), 400, "nested")
        self.assert_refused(ask("POST", "/v1/completions", GREEDY | {"suffix": "x"}), 400, "suffix")
        self.assert_refused(ask("POST", "/v1/completions", GREEDY | {"model": "gpt-4"}), 404, "'tiny'")
        self.assert_refused(ask("POST", "/v1/completions", GREEDY | {"prompt": "word " * 999}), 400, "512")
        self.assert_refused(ask("GET", "/v1/completions"), 405, "POST")
        self.assert_refused(ask("POST", "/health", "{}"), 405, "GET")
        self.assert_refused(ask("PATCH", "/health"), 405)
        self.assert_refused(ask("GET", "/nowhere"), 404)
        self.assert_refused(ask("GET", "/" + "a" * 4000), 404)
        self.assert_refused(ask("GET", "/../../etc/passwd"), 404)
        self.assert_refused(ask("GET", "/health", "body"), 400, "no body")
        self.assert_refused(ask("POST", "/v1/completions", "x", {"Content-Encoding": "gzip"}), 415)
        self.assert_refused(ask("GET", "/health", headers={"Origin": "http://evil.example"}), 403)
        self.assertEqual(ask("GET", "/health", headers={"Origin": f"http://127.0.0.1:{self.server.port}"})[0], 200)
        self.assert_alive()

    def test_hostile_bytes(self):
        raw = self.server.raw
        self.assertIn(b"400", raw(b"\x00\xff\xfe garbage\r\n\r\n"))
        self.assertIn(b"400", raw(b"GET / HTTP/9.9\r\n\r\n"))
        self.assertIn(b"414", raw(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n"))
        self.assertIn(b"413", raw(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"))
        self.assertIn(b"413", raw(b"GET / HTTP/1.1\r\nX: " + b"y" * 2_000_000))
        self.assertIn(b"411", raw(b"POST /v1/completions HTTP/1.1\r\n\r\n"))
        for length in (b"-1", b"1e3", b"", b"0x10", b"5, 5"):
            self.assertRegex(raw(b"POST /v1/completions HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n{}"),
                             rb"^HTTP/1.1 4(00|11)")
        self.assertIn(b"413", raw(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"))
        self.assertIn(b"413", raw(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 17000000\r\n\r\n"))
        both = b"POST /v1/completions HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertRegex(raw(both + b"0\r\n\r\n"), rb"^HTTP/1.1 411")
        chunked = b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.assertRegex(raw(chunked + b"zz\r\n"), rb"^HTTP/1.1 400")
        self.assertRegex(raw(chunked + b"fffffff0\r\n" + b"x" * 17_000_000), rb"^HTTP/1.1 413")
        self.assert_alive()

    def test_a_range_changes_nothing(self):
        reply = self.server.ask("POST", "/v1/completions", GREEDY, {"Range": "bytes=0-3"})
        self.assertEqual(reply[2]["choices"], self.server.complete(GREEDY)["choices"])


class Limits(ServerTest):
    options = ("-c", "100000", "--parallel", "1", "--queue", "1", "--max-body", "100kB", "--receive-timeout", "1s",
               "--timeout", "1h")

    def tearDown(self):
        self.server.await_metric("addend_slots_busy", 0)
        self.assert_alive()

    def start(self, body):
        """A request whose answer is not awaited."""
        connection = self.server.connect()
        self.addCleanup(connection.close)
        connection.request("POST", "/v1/completions", json.dumps(body))
        return connection

    def test_clients_that_leave_are_not_worked_for(self):
        cancelled = self.server.metric("addend_answers_cancelled_total")
        for body in (FOREVER, FOREVER | {"stream": True}):
            connection = self.start(body)
            self.server.await_metric("addend_slots_busy", 1)
            connection.close()
            self.server.await_metric("addend_slots_busy", 0)
            cancelled += 1
            self.assertEqual(self.server.metric("addend_answers_cancelled_total"), cancelled)

    def test_a_full_queue(self):
        running = self.start(FOREVER)
        self.server.await_metric("addend_slots_busy", 1)
        waiting = self.start(GREEDY)
        self.server.await_metric("addend_requests_waiting", 1)
        reply = self.server.ask("POST", "/v1/completions", GREEDY)
        self.assert_refused(reply, 429, "try again later")
        self.assertEqual(reply[1]["Retry-After"], "1")
        self.assertEqual(reply[2]["error"]["type"], "rate_limit_error")
        running.close()
        self.assertEqual(waiting.getresponse().status, 200)
        waiting.close()

    def test_a_body_that_is_too_large(self):
        reply = self.server.ask("POST", "/v1/completions", GREEDY | {"prompt": "x" * 200000})
        self.assert_refused(reply, 413, "100.0 kB")

    def test_slow_clients(self):
        for request in (b"GET /health HTTP/1.1\r\n", b"POST /v1/completions HTTP/1.1\r\nContent-Length: 50\r\n\r\n{"):
            pieces = [request] + [b"X" for _ in range(30)]
            self.assertRegex(self.server.raw(*pieces, pause=0.1), rb"^HTTP/1.1 408")
        self.assertEqual(self.server.raw(b""), b"")  # one that says nothing

    def test_a_client_that_does_not_read(self):
        connection = self.start(FOREVER | {"stream": True, "logprobs": 20})  # megabytes
        self.server.await_metric("addend_slots_busy", 1)
        self.server.await_metric("addend_slots_busy", 0)
        connection.close()


class Keys(ServerTest):
    options = ("--api-key", "secret", "--alias", "a model/7B", "--timeout", "0.2s", "-c", "100000")

    def test_keys(self):
        key = {"Authorization": "Bearer secret"}
        self.assertEqual(self.server.ask("GET", "/health")[0], 200)
        self.assertEqual(self.server.ask("GET", "/")[0], 200)
        for headers in ({}, {"Authorization": "Bearer secre"}, {"Authorization": "secret"},
                        {"Authorization": "Bearer secret "* 99}):
            for path in ("/v1/models", "/metrics", "/tokenizer_info"):
                self.assert_refused(self.server.ask("GET", path, headers=headers), 401, "Authorization")
        self.assertEqual(self.server.ask("GET", "/v1/models", headers=key)[2]["data"][0]["id"], "a model/7B")
        self.assertEqual(self.server.ask("GET", "/v1/models/a%20model/7B", headers=key)[0], 200)
        self.assert_refused(self.server.ask("POST", "/v1/completions", FOREVER, key), 504, "longer")


class Stopping(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-serve-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.model = make_model(cls.folder)

    def test_idle(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with Server(self.model) as server:
                server.complete(GREEDY)
                code, errors = server.stop(number)
                self.assertEqual(code, 0, errors)
                self.assertIn("POST /v1/completions 200", errors)

    def test_answers_may_finish(self):
        with Server(self.model, "-c", "100000", "--drain", "60s") as server:
            connection = server.connect()
            self.addCleanup(connection.close)
            connection.request("POST", "/v1/completions", json.dumps(GREEDY | {"max_tokens": 4000, "stream": True}))
            server.await_metric("addend_slots_busy", 1)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(events(connection.getresponse())[-1], "[DONE]")
            self.assertEqual(server.process.wait(LONG), 0)

    def test_but_not_forever(self):
        with Server(self.model, "-c", "100000", "--drain", "0.3s") as server:
            whole, stream = server.connect(), server.connect()
            self.addCleanup(whole.close)
            self.addCleanup(stream.close)
            whole.request("POST", "/v1/completions", json.dumps(FOREVER))
            stream.request("POST", "/v1/completions", json.dumps(FOREVER | {"stream": True}))
            server.await_metric("addend_slots_busy", 2)
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(whole.getresponse().status, 503)
            self.assertEqual(json.loads(events(stream.getresponse())[-1])["error"]["code"], "shutting_down")
            self.assertEqual(server.process.wait(LONG), 0)

    def test_two_on_one_port(self):
        with Server(self.model) as server:
            second = subprocess.run([ADDEND, "serve", self.model, "--port", str(server.port)], capture_output=True,
                                    timeout=LONG)
            self.assertEqual(second.returncode, 1)
            self.assertIn(f"cannot listen on 127.0.0.1, port {server.port}", second.stderr.decode())

    def test_wrong_usage(self):
        for options in (["--port", "70000"], ["--parallel", "0"], ["--api-key", ""], ["--timeout", "soon"],
                        ["--max-body", "-1"], ["--host"], ["--chat-template", "none-such"]):
            result = subprocess.run([ADDEND, "serve", self.model, *options], capture_output=True, timeout=LONG)
            self.assertEqual(result.returncode, 2, (options, result.stderr))
        for options in (["--host", "no.such.host.invalid"],
                        ["--api-key-file", self.folder / "none"]):
            result = subprocess.run([ADDEND, "serve", self.model, *options], capture_output=True, timeout=LONG)
            self.assertEqual(result.returncode, 1, (options, result.stderr))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    ADDEND = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()

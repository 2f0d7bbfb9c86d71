#!/usr/bin/env python3
"""Talks to `addend serve` with the clients that people use: OpenAI's Python library and lm-evaluation-harness, as
scripts/fetch_api_clients.sh has fetched them. Skips where they are missing.

    tests/serve/clients_test.py build/release/addend [Class[.test]]
"""
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import server_test
from server_test import LONG, Server, ServerTest, make_model

CACHE = pathlib.Path(os.environ.get("ADDEND_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "addend")
CLIENTS = CACHE / "api_clients"


class OpenAi(ServerTest):
    options = ("--api-key", "secret", "-c", "512")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.server.port}/v1", api_key="secret", max_retries=0)
        cls.chat = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 6,
                    "temperature": 0, "extra_body": {"ignore_eos": True}}

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], ["tiny"])
        self.assertEqual(self.client.models.retrieve("tiny").owned_by, "addend")

    def test_chat(self):
        reply = self.client.chat.completions.create(**self.chat, logprobs=True, top_logprobs=2, n=2)
        self.assertEqual(len(reply.choices), 2)
        self.assertEqual(reply.choices[0].message.content, reply.choices[1].message.content)
        self.assertEqual(reply.choices[0].finish_reason, "length")
        self.assertEqual(len(reply.choices[0].logprobs.content), 6)
        self.assertEqual(len(reply.choices[0].logprobs.content[0].top_logprobs), 2)
        self.assertEqual(reply.usage.completion_tokens, 12)

    def test_chat_in_a_stream(self):
        whole = self.client.chat.completions.create(**self.chat)
        chunks = list(self.client.chat.completions.create(**self.chat, stream=True,
                                                          stream_options={"include_usage": True}))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual(chunks[-1].usage.completion_tokens, 6)

    def test_completions(self):
        reply = self.client.completions.create(model="tiny", prompt=["Hello", "Bye"], max_tokens=3, temperature=0,
                                               logprobs=2, echo=True, seed=1, stop=["\n\n\n"])
        self.assertTrue(reply.choices[1].text.startswith("Bye"))
        self.assertIsNone(reply.choices[0].logprobs.token_logprobs[0])
        tokens = self.client.completions.create(model="tiny", prompt=[[5, 6], [7]], max_tokens=2)
        self.assertEqual(tokens.usage.prompt_tokens, 3)
        text = "".join(chunk.choices[0].text for chunk in self.client.completions.create(
            model="tiny", prompt="Hello", max_tokens=3, temperature=0, echo=True, stream=True))
        self.assertEqual(text, reply.choices[0].text)

    def test_errors(self):
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(**self.chat | {"model": "gpt-4"})
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(**self.chat | {"messages": [{"role": "user", "content": "x" * 9999}]})
        self.assertEqual(caught.exception.code, "context_length_exceeded")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(**self.chat, presence_penalty=1)
        self.assertEqual(caught.exception.param, "presence_penalty")
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").models.list()


TASK = """
task: local
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: {kind}
doc_to_text: "{{{{context}}}}"
{target}
metric_list:
  - metric: {metric}
"""


class LmEval(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="addend-lm-eval-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.model = make_model(cls.folder)
        cls.server = Server(cls.model, "-c", "512")
        cls.addClassCleanup(cls.server.__exit__)

    def evaluate(self, documents, kind, target, metric, batch_size=1, **model_arguments):
        """Runs lm-eval as a user does; returns its result and what it got for each document."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        data, tasks, out = (folder / name for name in ("data.jsonl", "tasks", "out"))
        data.write_text("".join(json.dumps(document) + "\n" for document in documents))
        tasks.mkdir()
        (tasks / "local.yaml").write_text(TASK.format(data=data, kind=kind, target=target, metric=metric))
        arguments = {"model": "tiny", "base_url": f"http://127.0.0.1:{self.server.port}/v1/completions",
                     "max_length": 512} | model_arguments
        offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(self.folder / "hf")}
        result = subprocess.run(
            [CLIENTS / "bin/lm_eval", "run", "--model", "local-completions", "--tasks", "local", "--include_path", tasks,
             "--batch_size", str(batch_size), "--log_samples", "--output_path", out,
             "--model_args", ",".join(f"{key}={value}" for key, value in arguments.items())], capture_output=True, timeout=10 * LONG, env=os.environ | offline)
        self.assertEqual(result.returncode, 0, result.stderr.decode()[-3000:])
        results = json.loads(next(out.rglob("results_*.json")).read_text())["results"]["local"]
        samples = [json.loads(line) for line in next(out.rglob("samples_*.jsonl")).read_text().splitlines()]
        return results, sorted(samples, key=lambda sample: sample["doc_id"])

    def tokens(self, text):
        return self.server.ask("POST", "/tokenize", {"prompt": text, "add_special_tokens": False})[2]["tokens"]

    def test_log_likelihoods_are_those_of_addend_eval(self):
        """The harness gets, through the server, what the program computes by itself in one pass."""
        words = (server_test.TESTS.parent / "LICENSE").read_text().split()
        documents = [{"context": words[i], "rest": " " + " ".join(words[i + 1:i + 9 + 3 * i])} for i in range(20, 32)]
        for batch in (1, 5):
            _, samples = self.evaluate(documents, "loglikelihood", 'doc_to_target: "{{rest}}"\ntarget_delimiter: ""',
                                       "acc", batch_size=batch)
            measured = [float(sample["filtered_resps"][0][0]) for sample in samples]
            for document, log_likelihood in zip(documents, measured):
                ids, first = self.tokens(document["context"] + document["rest"]), len(self.tokens(document["context"]))
                self.assertAlmostEqual(log_likelihood, self.direct(document, len(ids), first), delta=2e-3)

    def direct(self, document, length, first):
        """The log-likelihood of all but the first tokens, from windows of `addend eval` over the text's beginnings."""
        return self.log_likelihood(document["context"] + document["rest"], length) - (
            self.log_likelihood(document["context"], first) if first > 1 else 0)

    def log_likelihood(self, text, length):
        """Of all tokens but the first one: the hf protocol with one window."""
        result = subprocess.run([server_test.ADDEND, "eval", self.model, "-f", "-", "-c", str(length), "--json", "--quiet"],
                                input=text.encode(), capture_output=True, timeout=LONG)
        self.assertEqual(result.returncode, 0, result.stderr)
        score = json.loads(result.stdout)["perplexity"]["hf"]
        self.assertEqual(score["predictions"], length - 1)
        return -math.log(score["perplexity"]) * (length - 1)

    def test_multiple_choice_with_many_at_once(self):
        documents = [{"context": f"Copyright {i} of", "options": [" the", " Work", " zebra"], "answer": 0} for i in range(9)]
        target = 'doc_to_target: answer\ndoc_to_choice: options'
        one, _ = self.evaluate(documents, "multiple_choice", target, "acc")
        many, _ = self.evaluate(documents, "multiple_choice", target, "acc", num_concurrent=4, batch_size=2)
        self.assertEqual(one["acc,none"], many["acc,none"])

    def test_generation_without_a_tokenizer(self):
        documents = [{"context": "Copyright", "answer": "x"}]
        target = 'doc_to_target: answer\ngeneration_kwargs:\n  until: ["zzz"]\n  max_gen_toks: 5'
        _, samples = self.evaluate(documents, "generate_until", target, "exact_match", tokenizer_backend="None")
        expected = self.server.complete({"prompt": "Copyright", "max_tokens": 5, "temperature": 0, "stop": "zzz"})
        self.assertEqual(samples[0]["resps"][0][0], expected["choices"][0]["text"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    python = CLIENTS / "bin/python"
    if not (CLIENTS / "packages.txt").exists():
        print("skipped: the clients are not here; scripts/fetch_api_clients.sh fetches them")
        sys.exit(77)  # for ctest: skipped
    if pathlib.Path(sys.prefix) != CLIENTS.resolve():
        os.execv(python, [python, *sys.argv])
    import openai
    server_test.ADDEND = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()

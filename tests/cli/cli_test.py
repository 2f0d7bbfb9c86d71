#!/usr/bin/env python3
"""Runs the program as a user types it, on a tiny model: exit codes, both output streams, files.

    tests/cli/cli_test.py build/release/addend [Class[.test]]
"""
import json
import math
import os
import pathlib
import pty
import random
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

from terminal import Terminal

HERE = pathlib.Path(__file__).resolve().parent
ADDEND = None  # the program, from the command line
COMMANDS = ["compress", "refine", "run", "chat", "serve", "eval", "bench", "inspect", "compare", "export", "tokenize", "selftest",
            "completions"]


def addend(*arguments, **options):
    """Runs the program to its end. Both streams are bytes."""
    settings = dict(stdin=subprocess.DEVNULL, capture_output=True, timeout=300) | options
    if "stdout" in options:
        settings.pop("capture_output")
        settings["stderr"] = subprocess.PIPE
    if "input" in options:
        settings.pop("stdin")
    return subprocess.run([ADDEND, *arguments], **settings)


def start(*arguments):
    return subprocess.Popen([ADDEND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def interrupt_at(process, stage):
    """Sends SIGINT when the progress reports `stage`; returns the rest of both streams."""
    for line in process.stderr:
        if line.startswith(stage.encode()):
            break
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=60)


def copy_with(model, folder, file, edit):
    """A copy of a model's folder with one of its JSON files edited in place."""
    shutil.copytree(model, folder)
    content = json.loads((folder / file).read_text())
    edit(content)
    (folder / file).write_text(json.dumps(content))
    return folder


def edit_floats(folder, tensor, edit):
    """Replaces the values of a float32 tensor of a Hugging Face folder by edit(values)."""
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    header_size, = struct.unpack_from("<Q", content)
    begin, end = json.loads(content[8:8 + header_size])[tensor]["data_offsets"]
    values = struct.unpack_from(f"<{(end - begin) // 4}f", content, 8 + header_size + begin)
    struct.pack_into(f"<{len(values)}f", content, 8 + header_size + begin, *edit(list(values)))
    path.write_bytes(content)


def holds_bytes(path):
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:  # was there a moment ago
        return False


def write_zeros(model, folder, layers):
    """A model of 17 million zeros a layer, in a sparse file: large enough for work on it to take a while."""
    hidden, wide = 1024, 4096
    sizes = {"hidden_size": hidden, "intermediate_size": wide, "num_hidden_layers": layers, "num_attention_heads": 16,
             "num_key_value_heads": 16, "head_dim": 64}
    copy_with(model, folder, "config.json", lambda config: config.update(sizes))
    shapes = {"model.embed_tokens.weight": [320, hidden], "lm_head.weight": [320, hidden], "model.norm.weight": [hidden]}
    for layer in range(layers):
        name = f"model.layers.{layer}."
        shapes |= {f"{name}self_attn.{x}_proj.weight": [hidden, hidden] for x in "qkvo"}
        shapes |= {f"{name}mlp.{x}_proj.weight": [wide, hidden] for x in ("gate", "up")}
        shapes |= {f"{name}mlp.down_proj.weight": [hidden, wide]}
        shapes |= {f"{name}{x}_layernorm.weight": [hidden] for x in ("input", "post_attention")}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    encoded = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        file.truncate(8 + len(encoded) + end)


def add_text_key(gguf, out, key, text):
    """A copy of a GGUF file with one more key, in front. What follows must stay aligned, so spaces are added."""
    content = gguf.read_bytes()
    keys, = struct.unpack_from("<Q", content, 16)
    encoded = text.encode()
    encoded += b" " * (-(20 + len(key) + len(encoded)) % 32)
    pair = struct.pack("<Q", len(key)) + key.encode() + struct.pack("<IQ", 8, len(encoded)) + encoded
    out.write_bytes(content[:16] + struct.pack("<Q", keys + 1) + pair + content[24:])
    return out


def gguf_pairs(content):
    """The key-value pairs of a GGUF file in memory, as {key: all bytes of the pair}, and where they end."""
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def after(at, kind):
        if kind in sizes:
            return at + sizes[kind]
        if kind == 8:
            return at + 8 + struct.unpack_from("<Q", content, at)[0]
        element, count = struct.unpack_from("<IQ", content, at)
        if element in sizes:
            return at + 12 + count * sizes[element]
        at += 12
        for _ in range(count):
            at = after(at, element)
        return at

    pairs, at = {}, 24
    for _ in range(struct.unpack_from("<Q", content, 16)[0]):
        begin, at = at, after(at, 8)
        key = content[begin + 8:at].decode()
        at = after(at + 4, struct.unpack_from("<I", content, at)[0])
        pairs[key] = content[begin:at]
    return pairs, at


def as_version_1(compressed, out, edit):
    """A copy of a compressed file in the format's first version, whose metadata had no checksum, with its key-value
    pairs edited by edit(pairs)."""
    content = compressed.read_bytes()
    pairs, end = gguf_pairs(content)
    tensors, = struct.unpack_from("<Q", content, 8)
    at = end
    for _ in range(tensors):
        at += 8 + struct.unpack_from("<Q", content, at)[0]
        at += 4 + 8 * struct.unpack_from("<I", content, at)[0] + 4 + 8
    descriptions, data = content[end:at], content[(at + 31) // 32 * 32:]
    del pairs["addend.metadata_checksum"]
    pairs["addend.format_version"] = pairs["addend.format_version"][:-4] + struct.pack("<I", 1)
    edit(pairs)
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(pairs)) + b"".join(pairs.values()) + descriptions
    out.write_bytes(head + bytes(-len(head) % 32) + data)
    return out


def words(seed, count):
    """English-looking text, the same every time."""
    rng = random.Random(seed)
    vocabulary = (HERE.parent.parent / "LICENSE").read_text().split()
    return " ".join(rng.choice(vocabulary) for _ in range(count)) + "\n"


class CliTest(unittest.TestCase):
    """A folder of its own for each class, with the tiny model and two texts in it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-cli-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.model = cls.folder / "tiny model"  # a name with a space in it
        shutil.copytree(HERE.parent / "golden/tiny_models/llama", cls.model)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(HERE / name, cls.model)
        cls.text = cls.folder / "text.txt"
        cls.text.write_text(words(1, 1500))
        cls.calibration = cls.folder / "calibration.txt"
        cls.calibration.write_text(words(2, 4000))

    @classmethod
    def compress_arguments(cls, out, *more, steps=20):
        """A job of a second or so, whose result does not depend on time."""
        return ["compress", cls.model, "-o", out, "--bits", "3", "--effort", "fast", "--calibration-length", "32",
                "--calibration", cls.calibration, "--calibration-sequences", "8", "--block-epochs", "1",
                "--distill-steps", str(steps), *more]

    def assert_done(self, result):
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def assert_fails(self, result, code, *parts):
        """One line on stderr that holds all parts, nothing on stdout."""
        message = result.stderr.decode()
        self.assertEqual(result.returncode, code, message)
        self.assertEqual(message.count("\n"), 1, message)
        self.assertTrue(message.startswith("addend: "), message)
        for part in parts:
            self.assertIn(str(part), message)
        self.assertEqual(result.stdout or b"", b"")

    def assert_json(self, result):
        """Nothing but JSON on stdout."""
        return json.loads(self.assert_done(result).stdout)


class Usage(CliTest):
    def test_help_fits_a_screen(self):
        for arguments in [["--help"], *([command, "--help"] for command in COMMANDS)]:
            with self.subTest(arguments):
                result = self.assert_done(addend(*arguments))
                self.assertEqual(result.stderr, b"")
                lines = result.stdout.decode().splitlines()
                self.assertLessEqual(len(lines), 48)
                self.assertTrue(lines[lines.index("Examples:") + 1].startswith("  addend "), lines)
                self.assertLess(max(map(len, lines)), 80, max(lines, key=len))
                self.assertIn("Usage: addend ", result.stdout.decode())

    def test_help_in_every_form(self):
        self.assertEqual(addend("help", "run").stdout, addend("run", "-h").stdout)
        self.assertEqual(addend("help").stdout, addend("-h").stdout)
        for command in COMMANDS:
            self.assertIn(f"\n  {command} ", addend("--help").stdout.decode())
        self.assertNotIn("documents", addend("--help").stdout.decode())
        self.assertIn("130 interrupted", addend("--help").stdout.decode())

    def test_version(self):
        self.assertRegex(self.assert_done(addend("--version")).stdout, rb"^addend \d+\.\d+\.\d+\n$")

    def test_typing_errors(self):
        self.assert_fails(addend(), 2, "--help")
        self.assert_fails(addend("comprss", "x"), 2, "'comprss'", "did you mean 'compress'?")
        self.assert_fails(addend("xyzzy"), 2, "'xyzzy'", "addend --help")
        self.assert_fails(addend("--bits", "1"), 2, "'--bits'")
        self.assert_fails(addend("help", "rum"), 2, "did you mean 'run'?")
        self.assert_fails(addend("compress", "m", "-o", "o", "--bit", "1"), 2, "'--bit'", "'--bits'",
                          "addend compress --help")
        self.assert_fails(addend("tokenize", self.model, "a", "b"), 2, "'b'")

    def test_missing_arguments(self):
        for command in ("compress", "run", "chat", "serve", "eval", "inspect", "compare", "export", "tokenize"):
            self.assert_fails(addend(command), 2, "required", f"addend {command} --help")
        self.assert_fails(addend("bench"), 2, "either a model or --shape", "addend bench --help")
        self.assert_fails(addend("compress", self.model, "--json"), 2, "--output is required")
        self.assert_fails(addend("eval", self.model), 2, "--file")
        self.assert_fails(addend("run", self.model), 2, "no text")
        self.assert_fails(addend("run", self.model, "-p"), 2, "--prompt")
        for arguments in [["run", "", "x"], ["tokenize", "", "x"], ["export", self.model, "-o", ""]]:
            self.assert_fails(addend(*arguments), 2, "the name is empty")

    def test_values(self):
        out = self.folder / "never.gguf"
        for option, value in [("--bits", "0.1"), ("--bits", "9"), ("--bits", "nan"), ("--bits", "1x"),
                              ("--bits", ""), ("--effort", "huge"), ("--method", "magic"),
                              ("--distill-time", "5 minutes"), ("--distill-time", "-5"), ("--seed", "-1"),
                              ("--distill-time", "1e9h"), ("--time", "1e9h"), ("--calibration", ""),
                              ("--threads", "1.5"), ("--threads", "1000000"), ("--target", "sse9"),
                              ("--embedding-type", "q9_0"), ("--embedding-bits", "0.1"), ("--calibration-length", "1")]:
            with self.subTest(f"{option} {value}"):
                self.assert_fails(addend("compress", self.model, "-o", out, option, value), 2, value)
        for option, value in [("--temp", "-1"), ("--temp", "nan"), ("--top-p", "0"), ("--top-p", "2"),
                              ("--min-p", "x"), ("--repeat-penalty", "0"), ("-n", "-2"), ("-c", "-1")]:
            with self.subTest(f"{option} {value}"):
                self.assert_fails(addend("run", self.model, "-p", "x", option, value), 2)
        self.assert_fails(addend("eval", self.model, "-f", self.text, "-c", "1"), 2, "-c")
        self.assert_fails(addend("eval", self.model, "-f", self.text, "-n", "3"), 2, "--tokens asks for only 3", "512")
        self.assert_fails(addend("bench", self.model, "-p", "0", "-n", "0"), 2, "nothing to measure")
        # Before the model is looked at.
        self.assert_fails(addend("run", "none", "x", "--stop", "a", "--stop", ""), 2, "--stop", "empty")
        self.assert_fails(addend("run", self.model, "-p", "x", "-f", self.text), 2, "--file", "--prompt")
        self.assert_fails(addend("run", self.model, "-p", "x", "--temp", "1", "--temp", "0"), 2, "--temp is given more")
        self.assert_fails(addend("inspect", self.model, "-m", self.model), 2, "--model is given more")
        self.assertFalse(out.exists())


    def test_list_that_takes_the_model(self):
        arguments = ["compress", "--calibration", "a.txt", self.model, "-o", "x.gguf"]
        self.assert_fails(addend(*arguments), 2, "MODEL is required; --calibration may have taken it")


class ShellTest(CliTest):
    """What a shell completes, in a real one: all candidates are put into the line, which is then printed."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("model one.gguf", "model-two.gguf", "notes.txt"):
            (cls.folder / name).touch()

    def start_shell(self, *arguments):
        path = f"{pathlib.Path(ADDEND).resolve().parent}:{os.environ['PATH']}"
        terminal = Terminal([shutil.which(arguments[0]), *arguments[1:]],
                            {"PATH": path, "PS1": "ready> ", "HISTFILE": "", "INPUTRC": "/dev/null", "HOME": str(self.folder)})
        self.addCleanup(terminal.__exit__)
        terminal.expect_prompt("ready> ")
        self.run_line(terminal, f"cd '{self.folder}'")
        return terminal

    def run_line(self, terminal, line):
        terminal.type(line + "\r")
        terminal.expect_prompt("ready> ")

    def candidates(self, line):
        """The words after `addend`, where the cursor stood behind the last."""
        self.terminal.type(line + self.complete_all)
        self.terminal.type("\x01printf '<%s>' begin \x05 end\r")
        said = self.terminal.expect("<end>")
        self.terminal.expect_prompt("ready> ")
        said = said[said.rindex("<begin>"):]
        return said.removeprefix("<begin><addend><").removesuffix("><end>").split("><")

    def check_candidates(self):
        commands = self.candidates("addend ")
        for command in COMMANDS:
            self.assertIn(command, commands)
        self.assertNotIn("documents", commands)
        self.assertEqual(self.candidates("addend comp"), ["compare", "completions", "compress"])
        self.assertEqual(self.candidates("addend help sel"), ["help", "selftest"])
        self.assertEqual(self.candidates("addend completions "), ["completions", "bash", "zsh"])

        self.assertEqual(self.candidates("addend compress --eff"), ["compress", "--effort"])
        self.assertEqual(sorted(self.candidates("addend compress --effort ")), ["--effort", "best", "compress", "default", "fast"])
        self.assertEqual(self.candidates("addend compress --effort d"), ["compress", "--effort", "default"])
        self.assertEqual(self.candidates("addend compress m.gguf --bits 1 --keep"),
                         ["compress", "m.gguf", "--bits", "1", "--keep-work"])
        self.assertEqual(self.candidates("addend compress --effort=d"), ["compress", "--effort=default"])
        self.assertEqual(self.candidates("addend bench --shape lla"),
                         ["bench", "--shape", "llama-2-7b", "llama-3-8b", "llama-3.2-1b"])

        files = ["model one.gguf", "model-two.gguf"]
        self.assertEqual(self.candidates("addend run mod"), ["run", *files])
        self.assertEqual(self.candidates("addend run -m mod"), ["run", "-m", *files])
        self.assertEqual(self.candidates("addend eval model-two.gguf --file no"), ["eval", "model-two.gguf", "--file", "notes.txt"])
        self.assertEqual(self.candidates("addend compress --calibration notes.txt no"),
                         ["compress", "--calibration", "notes.txt", "notes.txt"])
        # A value that only the user knows is not a file.
        self.assertEqual(self.candidates("addend compress --bits no"), ["compress", "--bits", "no"])

    def check_every_long_option(self):
        for command in COMMANDS:
            with self.subTest(command):
                help_text = addend(command, "--help").stdout.decode()
                options = set(re.findall(r"^  (?:\S+, )*(--[\w-]+)", help_text, re.M))
                self.assertIn("--help", options)
                self.assertLessEqual(options, set(self.candidates(f"addend {command} --")))


@unittest.skipUnless(shutil.which("bash"), "no bash")
class Bash(ShellTest):
    complete_all = "\x1b*"

    def setUp(self):
        self.terminal = self.start_shell("bash", "--norc", "--noprofile", "-i")
        self.run_line(self.terminal, "set +o history")
        self.run_line(self.terminal, "bind 'set enable-bracketed-paste off'; source <(addend completions bash)")

    def test_candidates(self):
        self.check_candidates()

    def test_every_long_option(self):
        self.check_every_long_option()

    def test_syntax(self):
        script = self.assert_done(addend("completions", "bash")).stdout
        self.assertEqual(subprocess.run(["bash", "-n"], input=script, capture_output=True).stderr, b"")


@unittest.skipUnless(shutil.which("zsh"), "no zsh")
class Zsh(ShellTest):
    complete_all = "\x18a"

    def setUp(self):
        self.terminal = self.start_shell("zsh", "-f", "-i")
        for line in ["unsetopt prompt_cr prompt_sp zle_bracketed_paste; unset zle_bracketed_paste; bindkey -e",
                     "autoload -Uz compinit; compinit -u -D; zle -C every complete-word _generic; bindkey '^Xa' every",
                     "zstyle ':completion:every:*' completer _all_matches _complete; zstyle ':completion:every:*' insert yes",
                     "source <(addend completions zsh)"]:
            self.run_line(self.terminal, line)

    def test_candidates(self):
        self.check_candidates()

    def test_every_long_option(self):
        self.check_every_long_option()

    def test_as_a_function_of_fpath(self):
        folder = self.folder / "functions"
        folder.mkdir()
        (folder / "_addend").write_bytes(addend("completions", "zsh").stdout)
        self.terminal = self.start_shell("zsh", "-f", "-i")
        for line in ["unsetopt prompt_cr prompt_sp; unset zle_bracketed_paste; bindkey -e; fpath=(functions $fpath)",
                     "autoload -Uz compinit; compinit -u -D; zle -C every complete-word _generic; bindkey '^Xa' every",
                     "zstyle ':completion:every:*' completer _all_matches _complete; zstyle ':completion:every:*' insert yes"]:
            self.run_line(self.terminal, line)
        for _ in range(2):  # the first call loads the file, later ones run what it defined
            self.assertEqual(self.candidates("addend help sel"), ["help", "selftest"])


class Manual(CliTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        addend("documents", cls.folder / "documents")
        cls.pages = sorted((cls.folder / "documents/man1").iterdir())

    def test_a_page_for_each_command(self):
        self.assertEqual([page.name for page in self.pages],
                         sorted(["addend.1", *(f"addend-{command}.1" for command in COMMANDS)]))

    def test_structure(self):
        for page in self.pages:
            with self.subTest(page.name):
                lines = page.read_text("ascii").splitlines()
                self.assertEqual([line for line in lines if line.startswith(("'", " "))], [])
                known = (".TH ", ".SH ", ".SS ", ".TP", ".PP", ".nf", ".fi", ".RS 4", ".RE", ".br", '.\\" ')
                for line in lines:
                    self.assertTrue(not line.startswith(".") or line.startswith(known), line)
                    # Every backslash begins an escape that is meant.
                    self.assertIsNone(re.search(r"\\(?!f[BIR]|-|e|&|%|\((aq|ga|ha|ti)|\")", line), line)
                for part in ("NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "SEE ALSO"):
                    self.assertIn(f".SH {part}", lines)

    @unittest.skipUnless(shutil.which("man"), "no man")
    def test_man_shows_what_the_help_says(self):
        for page in self.pages:
            with self.subTest(page.name):
                shown = subprocess.run(["man", "--warnings=all", "--nh", "--nj", "-E", "ascii", "-P", "cat", "-l", page],
                                       capture_output=True, env=os.environ | {"MANWIDTH": "100", "MANROFFOPT": "", "LC_ALL": "C"})
                self.assertEqual((shown.returncode, shown.stderr), (0, b""))
                self.assertLessEqual(max(map(len, shown.stdout.decode().splitlines())), 100)
                text = re.sub(r".\x08", "", shown.stdout.decode())
                command = page.stem.removeprefix("addend").removeprefix("-")
                help_text = addend(*filter(None, [command]), "--help").stdout.decode()
                for line in help_text[help_text.index("Examples:\n"):].splitlines()[1:]:
                    self.assertIn(line.strip(), text)
                said = " ".join(text.split())
                for row in re.split(r"\n(?=\S|  \S|\n)", help_text[help_text.index("\n\n"):help_text.index("Examples:")]):
                    if row.startswith("  ") and "COMMAND --help" not in row and "--version" not in row:
                        for words in re.split(r" {2,}|\n +", row.strip()):
                            self.assertIn(" ".join(words.split()), said)

    @unittest.skipUnless(shutil.which("mandoc"), "no mandoc")
    def test_mandoc_agrees(self):
        for page in self.pages:
            said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True, text=True).stdout
            self.assertEqual([line for line in said.splitlines() if "missing date" not in line], [])


class Output(CliTest):
    def test_full_standard_output(self):
        with open("/dev/full", "wb") as full:
            for arguments in [["--help"], ["tokenize", self.model, "x"], ["inspect", self.model, "--json"],
                              ["run", self.model, "-p", "x", "-n", "4"]]:
                with self.subTest(arguments):
                    self.assert_fails(addend(*arguments, stdout=full), 1, "standard output", "No space left")

    def test_closed_standard_output(self):
        closed = lambda: os.close(1)
        self.assert_fails(addend("--version", stdout=None, preexec_fn=closed), 1, "standard output")

    def test_reader_that_goes_away(self):
        for ignore in (False, True):
            disposition = signal.SIG_IGN if ignore else signal.SIG_DFL
            process = subprocess.Popen([ADDEND, "tokenize", self.model, "-f", self.calibration],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       preexec_fn=lambda: signal.signal(signal.SIGPIPE, disposition))
            process.stdout.close()
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()
            self.assertEqual(process.wait(), 0)

    def test_errors_stay_on_one_line(self):
        self.assert_fails(addend("inspect", "no\nsuch\x1b[2Jfile"), 1, "no such [2Jfile")
        self.assert_fails(addend("inspect", "no\u009b2Jfile"), 1, "no 2Jfile")

    def test_errors_are_not_long(self):
        result = addend("help", "x" * 100_000)
        self.assert_fails(result, 2, "there is no command 'xxx", "xxx' (see addend --help)")
        self.assertLess(len(result.stderr), 520)


class Tokenize(CliTest):
    def ids(self, *arguments, **options):
        return self.assert_json(addend("tokenize", self.model, "--json", *arguments, **options))["ids"]

    def test_text_from_everywhere(self):
        text = "the License grants you rights"
        ids = self.ids(text)
        self.assertGreater(len(ids), 5)
        file = self.folder / "small.txt"
        file.write_text(text)
        self.assertEqual(self.ids("-p", text), ids)
        self.assertEqual(self.ids("-f", file), ids)
        self.assertEqual(self.ids("-f", "-", input=text.encode()), ids)
        self.assertEqual(self.assert_json(addend("tokenize", "-m", self.model, "--json", text))["ids"], ids)
        self.assertEqual(self.assert_json(addend("tokenize", self.model, "--ids", text)), ids)
        self.assertEqual(self.ids("-f", "/dev/null"), [])
        reader, writer = os.pipe()  # as <(...) of a shell
        os.write(writer, text.encode())
        os.close(writer)
        self.assertEqual(self.ids("-f", f"/dev/fd/{reader}", pass_fds=[reader]), ids)
        os.close(reader)
        self.assert_fails(addend("tokenize", self.model, "-f", self.folder), 1, self.folder, "Is a directory")

    def test_awkward_text(self):
        for text in ["", " ", "-p", "--json", "{}", "[a,b]", "%%", "\"quoted\"", "'q'", "naïve 日本語 🙂", "a\nb\tc"]:
            with self.subTest(text):
                self.assertEqual(self.ids("-p", text), self.ids("-f", "-", input=text.encode()))
        self.assertEqual(self.ids("--", "-x"), self.ids("-f", "-", input=b"-x"))
        self.assertEqual(len(self.ids("-f", "-", input=b"a\0b\0")), 4)
        self.assertEqual(len(self.ids(b"\xff")), 3)  # read as U+FFFD, three bytes

    def test_special_tokens(self):
        self.assertNotIn(2, self.ids("</s>"))
        self.assertEqual(self.ids("</s>", "--special"), [2])
        self.assertEqual(self.ids("a", "--add-special"), [1, *self.ids("a")])

    def test_table_for_people(self):
        result = self.assert_done(addend("tokenize", self.model, "a\n🙂"))
        lines = result.stdout.decode().splitlines()
        self.assertEqual(lines[0].split(), [str(self.ids("a")[0]), "'a'"])
        self.assertTrue(lines[1].endswith("'\\n'"))
        self.assertTrue(lines[2].endswith("'\\xf0'"), lines[2])
        self.assertEqual(lines[-1], f"{len(lines) - 1} tokens")

    def test_no_tokenizer(self):
        bare = HERE.parent / "golden/tiny_models/llama"
        self.assert_fails(addend("tokenize", bare, "x"), 1, "tokenizer.json")


class Run(CliTest):
    def run_text(self, *arguments, **options):
        return addend("run", self.model, "-n", "24", *arguments, **options)

    def test_streams_text_and_statistics(self):
        result = self.assert_done(self.run_text("-p", "the License"))
        self.assertGreater(len(result.stdout.decode()), 10)
        self.assertIn(b"tokens/s", result.stderr)
        self.assertEqual(self.assert_done(self.run_text("-p", "x", "--no-stats")).stderr, b"")
        self.assertEqual(self.assert_done(self.run_text("-p", "x", "--quiet")).stderr, b"")

    def test_json(self):
        text = self.assert_done(self.run_text("-p", "the License")).stdout.decode()
        answer = self.run_text("-p", "the License", "--json")
        result = self.assert_json(answer)
        self.assertEqual(result["text"].removesuffix("\n"), text.removesuffix("\n"))
        self.assertLessEqual(len(result["tokens"]), 24)
        self.assertGreater(result["prompt_tokens"], 1)
        self.assertGreater(result["decode_tokens_per_second"], 0)
        self.assertIn(result["finish"], ("token limit", "end of text"))
        self.assertEqual(answer.stderr, b"")

    def test_same_every_time(self):
        for sampling in (["--temp", "0"], ["--seed", "7"], ["--temp", "0", "--repeat-penalty", "1.3"]):
            texts = {self.assert_done(self.run_text("-p", "the License", *sampling, "-t", threads)).stdout
                     for threads in ("1", "1", "2")}
            self.assertEqual(len(texts), 1, texts)
        self.assertNotEqual(self.run_text("-p", "x", "--seed", "1").stdout, self.run_text("-p", "x", "--seed", "2").stdout)

    def test_prompt_from_file_and_standard_input(self):
        text = "You may reproduce"
        file = self.folder / "prompt.txt"
        file.write_text(text)
        expected = self.assert_done(self.run_text("--temp", "0", "-p", text)).stdout
        self.assertEqual(self.run_text("--temp", "0", text).stdout, expected)
        self.assertEqual(self.run_text("--temp", "0", "-f", file).stdout, expected)
        self.assertEqual(self.run_text("--temp", "0", "-f", "-", input=text.encode()).stdout, expected)

    def test_stop(self):
        whole = self.assert_done(self.run_text("--temp", "0", "-p", "the")).stdout.decode().removesuffix("\n")
        stop = whole[4:6]
        stopped = self.assert_done(self.run_text("--temp", "0", "-p", "the", "--stop", "\x01", "--stop", stop))
        self.assertEqual(stopped.stdout.decode(), whole[:whole.index(stop)].removesuffix("\n") + "\n")
        self.assertIn(b"stop string", stopped.stderr)

    def test_context(self):
        self.assertIn(b"context full", self.assert_done(addend("run", self.model, "-p", "x", "-n", "-1", "-c", "16")).stderr)
        self.assert_fails(self.run_text("-f", self.text), 1, "context")
        self.assert_fails(self.run_text("-p", "a b c d e f g h", "-c", "2"), 1, "context")

    def test_only_reads(self):
        result = self.assert_done(addend("run", self.model, "the License", "-n", "0"))
        self.assertEqual(result.stdout, b"")
        self.assertIn(b"written: 0 tokens", result.stderr)

    def test_longer_than_trained(self):
        note = b"note: a context of 600 tokens is longer than the 512 that the model was trained for"
        for arguments in [["run", self.model, "x", "-n", "1"], ["eval", self.model, "-f", self.text]]:
            self.assertIn(note, self.assert_done(addend(*arguments, "-c", "600")).stderr)
            self.assertEqual(self.assert_done(addend(*arguments, "-c", "600", "--quiet")).stderr, b"")
            self.assertNotIn(b"note", self.assert_done(addend(*arguments, "-c", "64")).stderr)

    def test_empty_text(self):
        self.assert_done(self.run_text("-p", ""))  # goes on from BOS
        bare = copy_with(self.model, self.folder / "no bos", "tokenizer.json",
                         lambda tokenizer: tokenizer.update(post_processor=None))
        (bare / "tokenizer_config.json").unlink()
        self.assert_fails(addend("run", bare, "-f", "/dev/null"), 2, "the text is empty", "-p")

    def test_escape_sequences_do_not_reach_a_terminal(self):
        wild = ["-n", "600", "--temp", "1000", "--top-k", "0", "--top-p", "1", "--min-p", "0", "--no-stats"]
        raw = self.assert_done(addend("run", self.model, "x", *wild)).stdout
        self.assertIn(b"\x1b", raw)  # as a script wants it
        master, slave = pty.openpty()
        process = subprocess.Popen([ADDEND, "run", self.model, "x", *wild], stdout=slave)
        os.close(slave)
        shown = b""
        try:
            while piece := os.read(master, 65536):
                shown += piece
        except OSError:  # the end
            pass
        os.close(master)
        self.assertEqual(process.wait(), 0)
        for control in set(range(32)) - set(b"\r\n\t"):
            self.assertNotIn(bytes([control]), shown)
        self.assertIn("\N{SYMBOL FOR ESCAPE}", shown.decode())

    def test_every_target(self):
        for target in ("scalar", "sse41", "avx2", "avx512", "neon"):
            result = self.run_text("-p", "x", "--temp", "0", "--target", target)
            if result.returncode == 2:
                self.assert_fails(result, 2, target)  # not on this CPU
            else:
                self.assert_done(result)


class Chat(CliTest):
    """Conversations through pipes."""

    def chat(self, lines, *arguments, **options):
        return addend("chat", self.model, "--chat-template", "llama2", "-n", "16", "--temp", "0", *arguments,
                      input=lines.encode(), **options)

    def messages(self, lines, *arguments):
        """What the conversation holds after these lines, as (role, content)."""
        file = self.folder / "messages.json"
        file.unlink(missing_ok=True)
        self.assert_done(self.chat(f"{lines}\n/save {file}\n", *arguments))
        return [(message["role"], message["content"]) for message in json.loads(file.read_text())["messages"]]

    def questions(self, lines, *arguments):
        return [content for role, content in self.messages(lines, *arguments) if role != "assistant"]

    def test_each_line_is_a_turn(self):
        result = self.assert_done(self.chat("Hello\nAnd now?"))
        self.assertNotIn(b">", result.stdout[:1])
        self.assertEqual(result.stderr.count(b"tokens/s"), 2)
        answers = [content for role, content in self.messages("Hello\nAnd now?") if role == "assistant"]
        self.assertEqual(result.stdout.decode(errors="replace"), "".join(f"{answer}\n" for answer in answers))
        self.assertEqual(self.chat("Hello", "--no-stats").stderr, b"")
        self.assertEqual(self.chat("Hello", "--quiet").stderr, b"")
        self.assertEqual(self.assert_done(self.chat("")).stdout, b"")

    def test_the_answer_is_the_models(self):
        answer = self.assert_done(self.chat("Hello")).stdout
        run = addend("run", self.model, "[INST] Hello [/INST]", "-n", "16", "--temp", "0")
        self.assertEqual(answer, run.stdout)

    def test_lines(self):
        self.assertEqual(self.questions("a\\\n  b\\\nc\n\n \n//etc\r\nü 漢字\nd\\\\"),
                         ["a\n  b\nc", "/etc", "ü 漢字", "d\\\\"])
        self.assertEqual(self.questions("a\n/reset\nb"), ["b"])
        self.assertEqual(self.questions("/system Be brief.\na", "--system", "x"), ["Be brief.", "a"])
        self.assertEqual(self.questions("a\n/system", "--system", "x"), ["a"])
        self.assertEqual(self.questions("a\n/regenerate\n/regenerate", "--system", "x"), ["x", "a"])
        self.assertEqual(self.chat("a\n/quit\nb").stderr.count(b"tokens/s"), 1)
        self.assertEqual(self.chat("a\\").stderr.count(b"tokens/s"), 1)

    def test_commands_that_tell(self):
        text = self.assert_done(self.chat("/help\na\n/stats")).stderr.decode()
        for part in ("/system [TEXT]", "/save FILE", "turns    1", "context  ", "written  16 tokens"):
            self.assertIn(part, text)

    def test_command_errors(self):
        for line, *parts in [("/rest", "'/rest'", "did you mean '/reset'?", "/help"), ("/xyzzyx", "'/xyzzyx'"),
                             ("/reset now", "/reset takes nothing"), ("/save", "/save needs"), ("/load  ", "/load needs"),
                             ("/load none.json", "none.json"), ("/regenerate", "no answer yet"),
                             ("/load /dev/zero", "/dev/zero"), (f"/load {self.text}", self.text, "JSON"),
                             (f"/save {self.text}", self.text, "another file"), ("/save /dev/full", "/dev/full"),
                             (f"/save {self.folder}/none/x", "none/x")]:
            with self.subTest(line):
                self.assert_fails(self.chat(f"{line}\nnever asked"), 1, *parts)

    def test_conversations_go_on(self):
        file, copy = self.folder / "saved.json", self.folder / "copy.json"
        self.assert_done(self.chat(f"a\nb\n/save {file}", "--system", "x"))
        whole = self.messages("a\nb\nc", "--system", "x")
        self.assertEqual(self.messages(f"/load {file}\nc")[:-1], whole[:-1])
        self.assertEqual(self.messages("c", "--load", file)[:-1], whole[:-1])
        self.assertEqual(self.questions("c", "--load", file, "--system", "y")[0], "y")
        self.assert_done(self.chat(f"/load {file}\n/save {copy}\n/save {copy}"))
        self.assertEqual(copy.read_bytes(), file.read_bytes())
        self.assert_fails(self.chat("c", "--load", self.text), 1, self.text, "JSON")

    def test_context(self):
        result = self.assert_done(self.chat("hello there\n" * 12, "-c", "96"))
        self.assertIn(b"note: the conversation outgrew the context: the model no longer sees the oldest", result.stderr)
        self.assert_fails(self.chat("word " * 200, "-c", "96"), 1, "the message has ", "at most ", "96")
        self.assertIn(b"longer than the 512", self.chat("a", "-c", "600").stderr)

    def test_templates(self):
        bare = ["chat", self.model, "-n", "4"]
        self.assert_fails(addend(*bare, input=b"x"), 1, "tiny model", "no chat template", "--chat-template", "chatml")
        self.assert_fails(addend(*bare, "--chat-template", "claude", input=b"x"), 2, "'claude'", "chatml")
        own = copy_with(self.model, self.folder / "own template", "tokenizer_config.json", lambda config: config.update(
            chat_template="{{ messages[0].content }}{{ raise_exception('two') if messages|length > 1 }}{{ tone }}"))
        chat = lambda *arguments: self.assert_done(addend("chat", own, "-n", "4", *arguments, input=b"x\n/stats")).stderr
        self.assertNotIn(b"read     7 tokens", chat())
        self.assertIn(b"read     7 tokens", chat("--template-arg", "tone=123456"))
        self.assertEqual(self.assert_done(addend("run", own, "--chat", "-p", "x", "-n", "4")).stdout,
                         self.assert_done(addend("chat", own, "-n", "4", input=b"x")).stdout)
        self.assert_fails(addend("run", self.model, "--chat", "-p", "x"), 1, "no chat template")
        self.assert_done(addend("run", self.model, "--chat", "--chat-template", "zephyr", "-p", "x"))
        self.assert_fails(addend("run", own, "--chat-template", "zephyr", "-p", "x"), 2, "--chat")
        self.assert_fails(addend("run", own, "--chat", "--special", "-p", "x"), 2, "--chat", "--special")
        failed = addend("chat", own, "-n", "4", "--no-stats", input=b"x\ny")
        self.assertEqual(failed.returncode, 1)
        self.assertIn(b"chat template: line 1: the template refuses: two", failed.stderr)
        for value in ("tone", "=1", "tone=", "tone=x"):
            self.assert_fails(self.chat("x", "--template-arg", value), 2, "--template-arg", value)

    def test_usage(self):
        for arguments in [["-n", "0"], ["--temp", "-1"], ["--kv-type", "q4"], ["--load", ""], ["x"]]:
            self.assert_fails(addend("chat", self.model, *arguments, input=b"x"), 2)

    def test_full_standard_output(self):
        with open("/dev/full", "wb") as full:
            self.assert_fails(self.chat("x", stdout=full), 1, "standard output", "No space left")

    def test_interrupt_at_the_prompt(self):
        process = subprocess.Popen([ADDEND, "chat", self.model, "--chat-template", "llama2", "-n", "4"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"a\n")
        process.stdin.flush()
        process.stderr.readline()  # it waits now
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)  # and its input stays open
        self.assertEqual((process.returncode, process.communicate()[1]), (130, b"addend: interrupted\n"))

    def test_reader_that_goes_away(self):
        process = subprocess.Popen([ADDEND, "chat", self.model, "--chat-template", "llama2", "--no-stats"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        message = process.communicate(b"a\nb\n", timeout=60)[1]
        self.assertEqual((process.returncode, message), (0, b""))


class ChatTerminal(CliTest):
    """Conversations of somebody who sits at a terminal."""
    PROMPT = "\x1b[?2004h> "
    READ = "\x1b[?2004l"  # the program has its line
    PASTE = "\x1b[200~{}\x1b[201~"

    def setUp(self):
        self.state = self.folder / self.id()
        self.saved = self.folder / f"{self.id()}.json"

    def terminal(self, *arguments, **environment):
        terminal = Terminal([ADDEND, "chat", self.model, "--chat-template", "llama2", "--temp", "0",
                             *(arguments or ["-n", "8"])], {"XDG_STATE_HOME": str(self.state), **environment})
        terminal.expect_prompt(self.PROMPT)
        return terminal

    def ask(self, terminal, keys):
        terminal.type(keys)
        terminal.expect("tokens/s")
        terminal.expect_prompt(self.PROMPT)

    def questions(self, terminal):
        terminal.type(f"/save {self.saved}\r")
        terminal.expect("saved ")
        terminal.expect_prompt(self.PROMPT)
        return [message["content"] for message in json.loads(self.saved.read_text())["messages"][::2]]

    def end(self, terminal, keys="\x04"):
        terminal.type(keys)
        self.assertEqual(terminal.exit_code(), 0)

    def test_editing(self):
        with self.terminal() as terminal:
            self.assertIn("tiny model; context 512 tokens; /help", terminal.seen.decode())
            self.ask(terminal, "xHellp, é 漢字x\x7f\x01\x1b[3~\x1b[C\x1b[C\x1b[C\x1b[C\x7fl\x1b[3~o\r")
            self.ask(terminal, "one\\\rtwo\r")
            self.assertEqual(self.questions(terminal), ["Hello, é 漢字", "one\ntwo"])
            self.end(terminal)

    def test_locale_without_utf8(self):
        with self.terminal("-n", "8", LC_ALL="C") as terminal:
            self.ask(terminal, "漢字\r")
            self.assertEqual(self.questions(terminal), ["漢字"])

    def test_pasted_lines_are_one_message(self):
        with self.terminal() as terminal:
            self.ask(terminal, "See: " + self.PASTE.format("a\r\tb\nc\\\n/d\r") + "!\r")
            self.assertEqual(self.questions(terminal), ["See: a\n\tb\nc\\\n/d!"])
            self.end(terminal)

    def test_control_characters_in_a_paste(self):
        with self.terminal() as terminal:
            self.ask(terminal, self.PASTE.format("a\x1b[2Jb\0c\x04d") + "\r")
            self.assertEqual(self.questions(terminal), ["a\x1b[2Jbc\x04d"])
            self.assertNotIn("\x1b[2J", terminal.seen.decode())

    def test_long_paste(self):
        text = "0123456789" * 500
        with self.terminal("-n", "8", "-c", "20000") as terminal:
            self.ask(terminal, self.PASTE.format(text) + "\r")
            self.assertEqual(self.questions(terminal), [text])

    def test_history(self):
        with self.terminal() as terminal:
            self.ask(terminal, "first\r")
            self.ask(terminal, self.PASTE.format("two\nlines") + "\r")
            self.end(terminal)
        file = self.state / "addend/chat_history"
        self.assertEqual(file.stat().st_mode & 0o777, 0o600)
        with self.terminal("-n", "8", "--no-history") as terminal:
            self.ask(terminal, "secret\r")
            terminal.type("\x1b[A\x1b[A")  # none of before
            self.end(terminal, "\x15\x04")
        with self.terminal() as terminal:
            self.ask(terminal, "\x1b[A\x1b[A\r")
            self.ask(terminal, "\x1b[A\x1b[A\r")
            self.assertEqual(self.questions(terminal), ["first", "two\nlines"])
        self.assertNotIn("secret", file.read_text())

    def test_history_that_cannot_be_kept(self):
        with self.terminal("-n", "8", XDG_STATE_HOME="/proc/none") as terminal:
            self.assertIn("note: /proc/none/addend/chat_history: cannot write", terminal.seen.decode())
            self.end(terminal)

    def test_interrupt_stops_an_answer(self):
        with self.terminal("-c", "100000") as terminal:
            terminal.type("Hello\r")
            terminal.expect(self.READ)
            terminal.expect_more()
            terminal.type("\x03")
            terminal.expect("; interrupted]")
            terminal.expect_prompt(self.PROMPT)
            self.assertEqual(self.questions(terminal), ["Hello"])
            self.end(terminal, "/quit\r")

    def test_interrupt_at_the_prompt(self):
        with self.terminal() as terminal:
            terminal.type("nev")
            terminal.expect("nev")
            terminal.wait_until_it_waits()
            terminal.type("\x03")
            terminal.expect_prompt(self.PROMPT)
            terminal.type("\x03")
            terminal.expect("Ctrl-C again ends")
            terminal.expect_prompt(self.PROMPT)
            self.ask(terminal, "ask\r")
            terminal.type("\x03")
            terminal.expect("Ctrl-C again ends")
            terminal.expect_prompt(self.PROMPT)
            self.end(terminal, "\x03")

    def test_terminated(self):
        with self.terminal("-c", "100000") as terminal:
            terminal.type("Hello\r")
            terminal.expect(self.READ)
            terminal.expect_more()
            os.kill(terminal.process, signal.SIGTERM)
            self.assertEqual(terminal.exit_code(), 130)

    def test_errors_do_not_end_it(self):
        with self.terminal("-n", "8", "-c", "64") as terminal:
            for line, problem in [("/rest", "error: there is no command '/rest'; did you mean '/reset'?"),
                                  ("word " * 60, "error: the message has "), ("/load none", "error: none: ")]:
                terminal.type(line + "\r")
                terminal.expect(problem)
                terminal.expect_prompt(self.PROMPT)
            self.ask(terminal, "Hello\r")
            self.end(terminal)

    def test_resumed(self):
        with self.terminal() as terminal:
            terminal.type("Hel")
            terminal.expect("Hel")
            os.kill(terminal.process, signal.SIGCONT)
            self.ask(terminal, "lo\r")
            self.assertEqual(self.questions(terminal), ["Hello"])


class Eval(CliTest):
    def test_json_and_text(self):
        result = self.assert_json(addend("eval", self.model, "-f", self.text, "-c", "64", "-n", "640", "--json"))
        self.assertEqual(result["windows"], 10)
        for protocol, predictions in [("hf", 63 * 10), ("llama.cpp", 32 * 10)]:
            score = result["perplexity"][protocol]
            self.assertEqual(score["predictions"], predictions)
            self.assertGreater(score["perplexity"], 1)
            self.assertGreater(score["standard_error"], 0)
        text = self.assert_done(addend("eval", self.model, "-f", self.text, "-c", "64", "-n", "640")).stdout.decode()
        self.assertIn(f"{result['perplexity']['hf']['perplexity']:.4f}", text)
        self.assertIn("llama.cpp", text)
        low, high = result["perplexity"]["hf"]["interval_95"]
        self.assertLess(low, result["perplexity"]["hf"]["perplexity"])
        self.assertGreater(high, result["perplexity"]["hf"]["perplexity"])
        self.assertIn(f"{low:.4f} to {high:.4f}", text)

    def test_interval_of_one_window(self):
        arguments = ["eval", self.model, "-f", self.text, "-c", "64", "-n", "64"]
        self.assertIsNone(self.assert_json(addend(*arguments, "--json"))["perplexity"]["hf"]["interval_95"])
        self.assertIn(b"unknown", self.assert_done(addend(*arguments)).stdout)

    def test_nothing_to_measure(self):
        self.assert_fails(addend("eval", self.model), 2, "nothing to measure", "--file", "--tasks", "--generation")
        self.assert_fails(addend("eval", self.model, "-f", "-", "--tasks", "-"), 2, "standard input")

    def test_against_itself(self):
        result = self.assert_json(addend("eval", self.model, "-f", self.text, "-c", "64", "--reference", self.model,
                                         "--json"))
        self.assertEqual(result["perplexity"], result["reference_perplexity"])
        self.assertAlmostEqual(result["divergence"]["hf"]["kl"]["mean"], 0, places=9)
        divergence = result["divergence"]["hf"]
        self.assertEqual(divergence["same_top"]["mean"], 1)
        self.assertEqual(divergence["perplexity_ratio"], {"ratio": 1, "interval_95": [1, 1]})
        self.assertEqual([divergence["kl"][key] for key in ("median", "percentile_99", "largest")], [0, 0, 0])

    def test_number_of_threads_changes_nothing(self):
        results = [addend("eval", self.model, "-f", self.text, "--json", "-t", n).stdout for n in ("1", "2")]
        self.assertEqual(*results)

    def test_text_that_is_too_short(self):
        self.assert_fails(addend("eval", self.model, "-f", "-", "--quiet", input=b"short"), 1, "512")
        self.assert_fails(addend("eval", self.model, "-f", self.folder / "none.txt", "--quiet"), 1, "none.txt")
        self.assert_fails(addend("eval", self.model, "-f", self.folder, "--quiet"), 1, self.folder)

    def test_perplexity_beyond_numbers(self):
        huge = self.folder / "huge"
        shutil.copytree(self.model, huge)
        edit_floats(huge, "lm_head.weight", lambda values: [1e6 * value for value in values])
        self.assert_fails(addend("eval", huge, "-f", self.text, "--quiet", "--json"), 1, huge, "too large", "nats")
        self.assert_fails(addend("eval", self.model, "-f", self.text, "--quiet", "--reference", huge), 1, huge)

    def test_interrupt(self):
        long_text = self.folder / "long.txt"
        long_text.write_text(words(3, 400_000))
        process = start("eval", self.model, "-f", long_text, "-n", "0", "-c", "64")
        output, message = interrupt_at(process, "evaluate")
        self.assertEqual((process.returncode, output), (130, b""), message)
        self.assertIn(b"interrupted", message)


class Compressed(CliTest):
    """The tests of one compressed file."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.compressed = cls.folder / "compressed.gguf"
        result = addend(*cls.compress_arguments(cls.compressed, "--json"))
        assert result.returncode == 0, result.stderr
        cls.report = json.loads(result.stdout)
        cls.files = sorted(cls.folder.iterdir())  # what is there after a job, and nothing else


class Overlap(CliTest):
    """Text that a file was made with is no test of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.compressed = cls.folder / "compressed.gguf"
        result = addend("compress", cls.model, "-o", cls.compressed, "--bits", "3", "--effort", "fast", "--quiet",
                        "--calibration-length", "256", "--calibration", cls.calibration, "--calibration-sequences", "2",
                        "--distill-steps", "0")
        assert result.returncode == 0, result.stderr

    def evaluate(self, text, *more, model=None, tokens=0):
        path = self.folder / "evaluate.txt"
        path.write_text(text)
        return addend("eval", model or self.compressed, "-f", path, "-c", "64", "-n", str(tokens), *more)

    def test_other_text(self):
        result = self.assert_done(self.evaluate(self.text.read_text(), "--json"))
        overlap, = json.loads(result.stdout)["overlap"]
        self.assertEqual((overlap["found"], overlap["share"]), (0, 0))
        self.assertGreater(overlap["phrases"], 40)
        self.assertNotIn(b"calibrated", result.stderr)
        self.assertNotIn("overlap", self.assert_json(self.evaluate(self.text.read_text(), "--json", model=self.model)))

    def test_the_same_text(self):
        text = self.calibration.read_text()
        self.assert_fails(self.evaluate(text, "--quiet"), 1, "evaluate.txt", "calibrated on", "--allow-overlap")
        result = self.assert_done(self.evaluate(text, "--allow-overlap", "--json"))
        self.assertGreater(json.loads(result.stdout)["overlap"][0]["share"], 0.8)  # phrases over the ends are not known
        self.assertIn(b"note: ", result.stderr)
        reference = self.evaluate(text, "--quiet", "--reference", self.compressed, model=self.model)
        self.assert_fails(reference, 1, "compressed.gguf was calibrated on")

    def test_a_paragraph_of_it(self):
        calibration, text = self.calibration.read_text().split(), self.text.read_text()
        paragraph = " ".join(calibration[1000:1150]).upper().replace(" ", " - ")
        self.assert_fails(self.evaluate(text + paragraph + text, "--quiet"), 1, "evaluate.txt", "calibrated on")

    def test_only_what_is_evaluated(self):
        text = self.text.read_text() + self.calibration.read_text()
        self.assert_done(self.evaluate(text, tokens=640))

    def test_questions_from_it(self):
        calibration = self.calibration.read_text().split()
        path = self.folder / "questions.jsonl"
        path.write_text("".join(json.dumps({"context": " ".join(calibration[at:at + 40]), "answer": 0,
                                            "choices": [calibration[at + 40], "nothing"]}) + "\n"
                                for at in range(0, 3000, 100)))
        self.assert_fails(addend("eval", self.compressed, "--tasks", path, "--quiet"), 1, "questions.jsonl", "calibrated on")
        self.assert_done(addend("eval", self.compressed, "--tasks", path, "--allow-overlap"))

    def test_refined_file_knows_both_texts(self):
        out, other = self.folder / "refined.gguf", self.folder / "other.txt"
        other.write_text(words(9, 4000))
        self.assert_done(addend("refine", self.compressed, "--reference", self.model, "-o", out, "--calibration", other,
                                "--calibration-length", "256", "--distill-steps", "1", "--quiet"))
        for text in (other, self.calibration):
            self.assert_fails(self.evaluate(text.read_text(), "--quiet", model=out), 1, "calibrated on")
        self.assert_done(self.evaluate(self.text.read_text(), model=out))

    def test_text_that_the_model_wrote(self):
        out = self.folder / "self.gguf"
        self.assert_done(addend("compress", self.model, "-o", out, "--bits", "3", "--effort", "fast", "--quiet",
                                "--calibration-length", "128", "--calibration-sequences", "4", "--distill-steps", "0"))
        self.assertIn("addend.calibration_fingerprint", gguf_pairs(out.read_bytes())[0])

    def test_files_that_do_not_say(self):
        old = as_version_1(self.compressed, self.folder / "old.gguf",
                           lambda pairs: pairs.pop("addend.calibration_fingerprint"))
        result = self.assert_done(self.evaluate(self.calibration.read_text(), model=old))
        self.assertIn(b"old.gguf does not say what text it was calibrated on", result.stderr)
        out = self.folder / "old refined.gguf"
        self.assert_done(addend("refine", old, "--reference", self.model, "-o", out, "--calibration", self.calibration,
                                "--calibration-length", "256", "--distill-steps", "1", "--quiet"))
        self.assertNotIn("addend.calibration_fingerprint", gguf_pairs(out.read_bytes())[0])  # half of it is not known

    def test_fingerprint_that_cannot_be(self):
        key = b"addend.calibration_fingerprint"
        name = struct.pack("<Q", len(key)) + key
        for number, value in enumerate([struct.pack("<IQ", 8, 1) + b"x",  # a string
                                        struct.pack("<IIQII", 9, 4, 2, 7, 7), struct.pack("<IIQII", 9, 4, 2, 7, 6),
                                        struct.pack("<IIQQ", 9, 10, 1, 7),
                                        struct.pack("<IIQ", 9, 4, 20000) + struct.pack("<20000I", *range(20000))]):
            edit = lambda pairs: pairs.update({key.decode(): name + value})
            bad = as_version_1(self.compressed, self.folder / f"bad{number}.gguf", edit)
            self.assert_fails(self.evaluate(self.text.read_text(), "--quiet", model=bad), 1, bad, key.decode())


class Tasks(CliTest):
    questions = HERE / "questions.jsonl"

    def test_json_and_text(self):
        arguments = ["eval", self.model, "--tasks", self.questions]
        result = self.assert_json(addend(*arguments, "--json"))["tasks"]
        self.assertEqual(result["questions"], 13)
        for key in ("acc", "acc_norm"):
            self.assertTrue(0 <= result["model"][key]["mean"] <= 1)
        self.assertNotIn("scores", result)
        scores = self.assert_json(addend(*arguments, "--json", "--verbose"))["tasks"]["scores"]
        right = sum(score["chosen"] == score["answer"] for score in scores)
        self.assertAlmostEqual(right / 13, result["model"]["acc"]["mean"])
        self.assertTrue(all(score["log_probabilities"][score["chosen"]] == max(score["log_probabilities"])
                            for score in scores))
        text = self.assert_done(addend(*arguments, "--verbose")).stdout.decode()
        self.assertIn(f"{result['model']['acc']['mean']:.4f}", text)
        self.assertEqual(text.count(": right: ") + text.count(": wrong: "), 13)

    def test_against_itself(self):
        result = self.assert_json(addend("eval", self.model, "--tasks", self.questions, "--reference", self.model, "--json"))
        self.assertEqual(result["tasks"]["reference"], result["tasks"]["model"])
        paired = result["tasks"]["paired"]
        self.assertEqual(paired["same_choice"], {"mean": 1, "standard_error": 0})
        self.assertEqual(paired["acc_norm_difference"], {"mean": 0, "standard_error": 0})

    def test_threads_and_texts_change_nothing(self):
        arguments = ["eval", self.model, "--tasks", "-", "--json", "--verbose", "-t"]
        results = [self.assert_json(addend(*arguments, threads, input=text))["tasks"]["scores"]
                   for threads in ("1", "2") for text in (self.questions.read_bytes(),
                                                          self.questions.read_bytes().replace(b"\n", b"\r\n"))]
        self.assertTrue(all(result == results[0] for result in results))

    def test_bad_files(self):
        bad = self.folder / "bad.jsonl"
        bad.write_text(self.questions.read_text() + '{"question": "x", "choices": ["a", "b"], "answer": 2}\n')
        self.assert_fails(addend("eval", self.model, "--tasks", bad, "--quiet"), 1, "bad.jsonl: line 14: 'answer' is 2")
        for content in (b"", b"\0" * 1000, b"{" * 100_000, bytes(range(256)), b"[]\n"):
            bad.write_bytes(content)
            self.assert_fails(addend("eval", self.model, "--tasks", bad, "--quiet"), 1, "bad.jsonl")
        self.assert_fails(addend("eval", self.model, "--tasks", self.folder, "--quiet"), 1, self.folder)

    def test_sensible_on_a_real_model(self):
        cache = pathlib.Path(os.environ.get("ADDEND_CACHE", pathlib.Path.home() / ".cache/addend"))
        model = cache / "SmolLM2-135M-Instruct.Q4_1.gguf"
        if not model.exists():
            self.skipTest("SmolLM2 is not here; see CONTRIBUTING.md")
        result = self.assert_json(addend("eval", model, "--tasks", self.questions, "--json", "--quiet"))["tasks"]["model"]
        self.assertGreaterEqual(result["acc"]["mean"], 0.7)  # guessing: 0.25

    def test_interrupt(self):
        long = self.folder / "long.jsonl"
        long.write_text(self.questions.read_text() * 2000)
        process = start("eval", self.model, "--tasks", long)
        output, message = interrupt_at(process, "questions")
        self.assertEqual((process.returncode, output), (130, b""), message)


class Generation(CliTest):
    def test_json_and_text(self):
        arguments = ["eval", self.model, "--generation"]
        result = self.assert_json(addend(*arguments, "--reference", self.model, "--json"))["generation"]
        self.assertEqual(result["model"], result["reference"])
        self.assertEqual(len(result["model"]["texts"]), 10)
        for key in ("empty", "loops", "repeated_4_grams", "ended"):
            self.assertTrue(0 <= result["model"][key] <= 1)
        self.assertGreater(result["model"]["tokens"], 0)
        short, long = (self.assert_done(addend(*arguments, *more)).stdout.decode() for more in ([], ["--verbose"]))
        self.assertNotIn(result["model"]["texts"][0]["prompt"], short)
        self.assertIn(result["model"]["texts"][0]["prompt"], long)

    def test_all_measures_at_once(self):
        result = self.assert_json(addend("eval", self.model, "-f", self.text, "-c", "64", "--tasks", Tasks.questions,
                                         "--generation", "--json"))
        for key in ("model", "perplexity", "tasks", "generation"):
            self.assertIn(key, result)


class Inspect(Compressed):
    def test_dense(self):
        result = self.assert_json(addend("inspect", self.model, "--json"))
        self.assertEqual(result["architecture"], "llama")
        self.assertEqual(result["config"]["hidden"], 64)
        self.assertEqual(result["recipe"], {})
        self.assertEqual(result["tokenizer"]["tokens"], 320)

    def test_compressed(self):
        result = self.assert_json(addend("inspect", self.compressed, "--json", "--layers"))
        self.assertEqual(result["recipe"]["bits"], 3)
        self.assertEqual(result["size"]["bytes"], self.compressed.stat().st_size)
        self.assertEqual(len(result["layers"]), 21)
        for layer, reported in zip(result["layers"], self.report["linears"]):
            for key in ("name", "rank", "weighted_error"):
                self.assertEqual(layer[key], reported[key])
        self.assertLessEqual(result["size"]["linear_bits_per_weight"], 3)

    def test_text(self):
        text = self.assert_done(addend("inspect", self.compressed, "--layers")).stdout.decode()
        for part in ("llama", "blk.2.ffn_down", "factored", "recipe", "tokenizer"):
            self.assertIn(part, text)

    def test_without_tokenizer(self):
        bare = HERE.parent / "golden/tiny_models/llama"
        self.assertIn("problem", self.assert_json(addend("inspect", bare, "--json"))["tokenizer"])


class PageTest(Compressed):
    def read_page(self, path):
        """The page as XML, after checks that hold for each of them."""
        content = path.read_text()
        root = xml.etree.ElementTree.fromstring(content)
        self.assertEqual((root.tag, root.get("lang")), ("html", "en"))
        for address in ("http:", "https:", "url(", "@import", "<script", "<img", "src=", "href="):
            self.assertFalse(address in content, address)
        policy = root.find("head/meta[@http-equiv='Content-Security-Policy']").get("content")
        self.assertTrue(policy.startswith("default-src 'none';"), policy)
        self.assertEqual(len(root.findall(".//h1")), 1)
        for image in root.iter("svg"):
            self.assertTrue(image.get("aria-label") or image.get("aria-hidden") or image.find("rect") is not None)
        for table in root.iter("table"):
            self.assertTrue(table.find("caption").text)
            widths = {len(row) for row in table.iter("tr")}
            self.assertEqual(len(widths), 1, table.find("caption").text)
        for heading in root.iter("th"):
            self.assertIn(heading.get("scope"), ("col", "row"))
        return root


class Pages(PageTest):
    """inspect --html"""

    def page(self, model, *options):
        out = self.folder / "page.html"
        result = self.assert_done(addend("inspect", model, "--html", out, *options))
        self.assertEqual(result.stdout + result.stderr, b"")
        return self.read_page(out)

    def titles(self, root):
        return [heading.text for heading in root.iter("h2")]

    def test_compressed(self):
        job = self.folder / "job.json"
        job.write_text(json.dumps(self.report))
        root = self.page(self.compressed, "--job", job)
        self.assertEqual(self.titles(root),
                         ["Quality", "Weights", "Error against rate", "Tuning", "Where the bytes are",
                          "Where the time went", "Recipe", "Model and tokenizer"])
        text = "\n".join(root.itertext())
        shown = [layer["name"] for layer in self.report["linears"]]
        shown.append(f"{self.report['quality']['perplexity']:.5g}")
        shown += [f"{point['held_out_kl']:.4g}" for point in self.report["distillation"]["curve"]]
        self.assertEqual([part for part in shown if part not in text], [])

    def test_dense(self):
        for model in (self.model, HERE.parent / "golden/tiny_models/gemma3"):
            self.assertEqual(self.titles(self.page(model)), ["Weights", "Where the bytes are", "Model and tokenizer"])

    def test_parts_are_the_whole(self):
        for model in (self.model, self.compressed):
            size = self.assert_json(addend("inspect", model, "--json"))["size"]
            self.assertEqual(sum(size["parts"].values()), size["bytes"])

    def test_refined(self):
        out = self.folder / "refined.gguf"
        self.assert_done(addend("refine", self.compressed, "--reference", self.model, "-o", out, "--calibration",
                                self.calibration, "--calibration-length", "32", "--distill-steps", "5"))
        root = self.page(out)
        self.assertIn("Job 2", [heading.text for heading in root.iter("h3")])
        self.assertIn("25", [cell.text for cell in root.iter("th")])  # the 5 steps come after 20

    def test_hostile_names(self):
        dense = self.folder / "<b onclick=alert(1)>&'\".gguf"
        self.assert_done(addend("export", self.model, "-o", dense))
        bad = "</style><script>alert(1)</script>"
        recipe = {"test": {"perplexity": 3, "protocol": bad, "tokens": bad}, bad: bad, "start": {bad: [bad, {"a": bad}]},
                  "tuning": {"steps": [0, bad], "held_out_kl": bad}, "linears": {"blk.0.attn_q": {"weighted_error": bad}}}
        hostile = add_text_key(dense, self.folder / "hostile.gguf", "addend.recipe", json.dumps(recipe))
        self.assertTrue(bad in "".join(self.page(hostile).itertext()))
        self.assertTrue("<b onclick" in "".join(self.page(dense).itertext()))
        self.assert_done(addend("inspect", hostile, "--layers"))
        recipe |= {"calibration": {"hash": "x"}}
        recipe["test"] |= {"protocol": "\x1b[2J", "tokens": "\u009b2J"}
        hostile = add_text_key(dense, self.folder / "hostile.gguf", "addend.recipe", json.dumps(recipe, ensure_ascii=False))
        result = self.assert_done(addend("compare", hostile, dense, "--html", self.folder / "page.html"))
        self.assertIn("Measured when", result.stdout.decode())
        for sign in "\x1b", "\u009b":
            self.assertFalse(sign in result.stdout.decode())
        self.read_page(self.folder / "page.html")

    def test_hostile_recipes(self):
        dense = self.folder / "dense.gguf"
        self.assert_done(addend("export", self.model, "-o", dense))
        for number, recipe in enumerate(["[]", "5", "{", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"]):
            hostile = add_text_key(dense, self.folder / f"hostile{number}.gguf", "addend.recipe", recipe)
            out = self.folder / "never.html"
            self.assert_fails(addend("inspect", hostile, "--html", out), 1, hostile, "addend.recipe")
            self.assertFalse(out.exists())
        for recipe in ['{"linears": 5}', '{"linears": {"blk.0.attn_q": [1]}}', '{"linears": [[]], "test": []}']:
            hostile = add_text_key(dense, self.folder / "hostile.gguf", "addend.recipe", recipe)
            self.page(hostile)

    def test_bad_arguments(self):
        out = self.folder / "never.html"
        self.assert_fails(addend("inspect", self.model, "--html", out, "--json"), 2, "--json")
        self.assert_fails(addend("inspect", self.model, "--job", self.text), 2, "--html")
        self.assert_fails(addend("inspect", self.compressed, "--html", out, "--job", self.text), 1, "not valid JSON")
        job = self.folder / "other.json"
        job.write_text(json.dumps(self.report | {"file_bytes": 7}))
        self.assert_fails(addend("inspect", self.compressed, "--html", out, "--job", job), 1, job, "another file", "7")
        self.assert_fails(addend("inspect", self.compressed, "--html", self.compressed), 1, "source itself")
        self.assert_fails(addend("inspect", self.model, "--html", self.model / "config.json"), 1, "part of the source")
        self.assert_fails(addend("inspect", self.model, "--html", self.folder / "none/x.html"), 1, "no folder")
        self.assert_fails(addend("inspect", self.model, "--html", ""), 2, "the name is empty")
        self.assertFalse(out.exists())

    def test_full_disk(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
        out = self.folder / "full.html"
        out.write_text("before")
        self.assert_fails(addend("inspect", self.model, "--html", out, preexec_fn=limit), 1, out, "File too large")
        self.assertEqual(out.read_text(), "before")


class Compare(PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.smaller = cls.folder / "smaller.gguf"
        arguments = cls.compress_arguments(cls.smaller)
        arguments[arguments.index("--bits") + 1] = "1"
        assert addend(*arguments).returncode == 0

    def compare(self, *arguments):
        return self.assert_json(addend("compare", *arguments, "--json"))

    def test_recorded(self):
        page = self.folder / "comparison.html"
        result = self.compare(self.compressed, self.smaller, self.model, "--html", page)
        first, second, dense = result["files"]
        self.assertEqual([file["label"] for file in result["files"]], ["A", "B", "C"])
        self.assertEqual(first["bytes"], self.compressed.stat().st_size)
        self.assertEqual(first["quality"]["perplexity"], self.report["quality"]["perplexity"])
        self.assertEqual(first["quality"]["protocol"], "hf")
        self.assertEqual(first["quality"]["window"], 32)
        self.assertIsNone(dense["quality"])
        self.assertEqual(result["measure"], "kl_divergence")
        self.assertEqual([file["front"] for file in result["files"]], [True, True, False])
        root = self.read_page(page)
        self.assertEqual([heading.text for heading in root.iter("h2")], ["Quality against size", "Models"])
        self.assertEqual(len(root.findall(".//path[@transform]/title")), 2)

    def test_text(self):
        text = self.assert_done(addend("compare", self.compressed, self.smaller)).stdout.decode()
        self.assertRegex(text, r"(?m)^\* A .*compressed.gguf +\d+\.\d [kM]B")
        self.assertIn("calibration text", text)
        self.assertLess(max(map(len, text.splitlines())), 120)

    def test_other_texts(self):
        other = self.folder / "other.gguf"
        text = self.folder / "other.txt"
        text.write_text(words(3, 4000))
        arguments = self.compress_arguments(other)
        arguments[arguments.index("--calibration") + 1] = text
        self.assert_done(addend(*arguments))
        page = self.folder / "comparison.html"
        result = self.compare(self.compressed, other, "--html", page)
        self.assertIsNone(result["measure"])
        self.assertIn("cannot be compared", result["notes"][0])
        self.assertEqual([file["front"] for file in result["files"]], [False, False])
        self.assertEqual([heading.text for heading in self.read_page(page).iter("h2")], ["Models"])

    def test_measured(self):
        """The same numbers as `addend eval` has, for files that recorded none too."""
        protocol = ["-f", self.text, "-c", "64", "-n", "512", "--reference", self.model, "--quiet"]
        page = self.folder / "comparison.html"
        result = self.compare(self.compressed, self.model, *protocol, "--html", page)
        self.assertEqual(result["measure"], "kl_divergence")
        self.assertIn(f"512 tokens of {self.text} (hf, windows of 64)", result["notes"][0])
        for file in result["files"]:
            evaluated = self.assert_json(addend("eval", file["file"], *protocol, "--json"))
            self.assertEqual(file["quality"]["perplexity"], evaluated["perplexity"]["hf"]["perplexity"])
            self.assertEqual(file["quality"]["kl_divergence"], evaluated["divergence"]["hf"]["kl"]["mean"])
        self.assertEqual([file["front"] for file in result["files"]], [True, True])
        self.assertEqual(len(self.read_page(page).findall(".//path[@transform]/title")), 2)
        alone = self.compare(self.compressed, self.model, *protocol[:6], "--quiet")
        self.assertEqual(alone["measure"], "perplexity")
        self.assertEqual(alone["files"][0]["quality"]["perplexity"], result["files"][0]["quality"]["perplexity"])

    def test_measured_on_its_own_calibration_text(self):
        out = self.folder / "long sequences.gguf"  # its phrases are longer than those of the others' 32 tokens
        self.assert_done(addend("compress", self.model, "-o", out, "--bits", "3", "--effort", "fast", "--calibration",
                                self.calibration, "--calibration-length", "256", "--distill-steps", "0"))
        arguments = ["compare", self.compressed, out, "-f", self.calibration, "-c", "64", "--quiet"]
        self.assert_fails(addend(*arguments), 1, "calibrated on", "--allow-overlap")
        self.assert_done(addend(*arguments, "--allow-overlap"))

    def test_other_tokens(self):
        other = copy_with(self.model, self.folder / "other tokens", "tokenizer.json",
                          lambda tokenizer: tokenizer["model"].update(merges=[]))
        result = self.compare(self.compressed, other, "-f", self.text, "-c", "64", "-n", "128", "--quiet")
        self.assertIsNone(result["measure"])
        self.assertIn("different tokens", result["notes"][0])

    def test_plot(self):
        text = self.assert_done(addend("compare", self.compressed, self.smaller, self.compressed)).stdout.decode()
        self.assertIn("  KL divergence, nats a token\n", text)
        self.assertIn("file size, MB", text)

    def test_nothing_recorded(self):
        result = self.compare(self.model)
        self.assertEqual((result["measure"], result["files"][0]["quality"]), (None, None))

    def test_bad_arguments(self):
        out = self.folder / "never.html"
        self.assert_fails(addend("compare", self.compressed, self.folder / "none", "--html", out), 1, "none")
        self.assert_fails(addend("compare", self.compressed, self.smaller, "--html", self.smaller), 1, "source itself")
        self.assert_fails(addend("compare", self.compressed, ""), 2, "name is empty")
        self.assert_fails(addend("compare", self.compressed, "--reference", self.model), 2, "--file")
        self.assert_fails(addend("compare", self.compressed, "-f", self.text, "-n", "3"), 2, "--tokens asks for only 3")
        self.assertFalse(out.exists())


class Export(Compressed):
    def perplexity(self, model):
        result = self.assert_json(addend("eval", model, "-f", self.text, "-c", "64", "--json", "--quiet"))
        return result["perplexity"]["hf"]["perplexity"]

    def test_dense_exports_equal_the_model(self):
        expected = self.perplexity(self.model)
        for out in ("dense.gguf", "dense"):
            self.assert_done(addend("export", self.model, "-o", self.folder / out, "--type", "f32"))
            self.assertAlmostEqual(self.perplexity(self.folder / out), expected, delta=1e-9 * expected)

    def test_compressed_exports_are_close(self):
        expected = self.perplexity(self.compressed)
        for out, type_ in [("c.gguf", "f16"), ("c", "f32"), ("c.bf16.gguf", "bf16")]:
            self.assert_done(addend("export", self.compressed, "-o", self.folder / out, "--type", type_))
            # Rounding to bfloat16, the coarsest, changes a weight by up to 0.4 %.
            self.assertAlmostEqual(self.perplexity(self.folder / out), expected, delta=0.005 * expected)
        self.assertEqual((self.folder / "c/tokenizer.json").read_text(), (HERE / "tokenizer.json").read_text())

    def test_capital_letters(self):
        out = self.folder / "CAPITAL.GGUF"
        self.assert_done(addend("export", self.model, "-o", out))
        self.assertEqual(out.read_bytes()[:4], b"GGUF")

    def test_replaces_a_model_only_by_force(self):
        other = self.folder / "other"
        shutil.copytree(HERE.parent / "golden/tiny_models/qwen2", other)
        self.assert_fails(addend("export", self.model, "-o", other), 1, other, "config.json", "--force")
        self.assertEqual(self.assert_json(addend("inspect", other, "--json"))["architecture"], "qwen2")
        self.assert_done(addend("export", self.model, "-o", other, "--force"))
        self.assertEqual(self.assert_json(addend("inspect", other, "--json"))["architecture"], "llama")

    def test_value_that_f16_cannot_hold(self):
        large = self.folder / "large"
        shutil.copytree(self.model, large)
        edit_floats(large, "model.embed_tokens.weight", lambda values: [1e8, *values[1:]])
        out = self.folder / "large.gguf"
        self.assert_fails(addend("export", large, "-o", out), 1, out, "'token_embd.weight'", "1e+08", "bf16")
        self.assert_done(addend("export", large, "-o", out, "--type", "bf16"))
        for type_ in ("f16", "q8_0", "q4_0"):
            result = addend("compress", large, "-o", self.folder / f"never.{type_}.gguf", "--embedding-type", type_,
                            "--calibration", self.calibration, "--quiet")
            self.assert_fails(result, 1, large, "'token_embd.weight'", "bf16 and f32")

    def test_interrupt(self):
        big = self.folder / "big"
        write_zeros(self.model, big, layers=6)
        out = self.folder / "big.f16.gguf"
        process = start("export", big, "-o", out)
        while process.poll() is None and not any(map(holds_bytes, self.folder.glob("big.f16.gguf.partial-*"))):
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        output, message = process.communicate(timeout=60)
        self.assertEqual((process.returncode, output, message), (130, b"", b"addend: interrupted\n"))
        self.assertEqual(list(self.folder.glob("big.f16*")), [])

    def test_bad_outputs(self):
        self.assert_fails(addend("export", self.compressed, "-o", self.compressed), 1, "source itself")
        self.assert_fails(addend("export", self.model, "-o", self.model), 1, "source itself")
        self.assert_fails(addend("export", self.model, "-o", self.folder / "none/x.gguf"), 1, "no folder")
        self.assert_fails(addend("export", self.model, "-o", "/proc/x.gguf"), 1, "/proc/x.gguf")

    def test_full_disk(self):
        def limit():  # a write beyond the limit fails, as on a full disk
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        before = sorted(self.folder.iterdir())
        self.assert_fails(addend("export", self.model, "-o", self.folder / "big.gguf", preexec_fn=limit), 1, "big.gguf",
                          "File too large")
        self.assertEqual(sorted(self.folder.iterdir()), before)


class Bench(CliTest):
    def test_rows(self):
        result = self.assert_json(addend("bench", self.model, "-p", "32", "-n", "8", "-r", "2", "-t", "1,2", "--json"))
        rows = [(row["test"], row["threads"]) for row in result["tests"]]
        self.assertEqual(rows, [("pp32", 1), ("tg8", 1), ("pp32", 2), ("tg8", 2)])
        self.assertTrue(all(row["tokens_per_second"] > 0 for row in result["tests"]))
        text = self.assert_done(addend("bench", self.model, "-p", "0", "-n", "8", "-r", "1")).stdout.decode()
        self.assertIn("tg8", text)
        self.assertNotIn("pp", text)
        slow = addend("bench", self.model, "-p", "4", "-n", "0", "-r", "1", "--target", "scalar")
        self.assertIn(b"target scalar is very slow", self.assert_done(slow).stdout)
        self.assert_fails(addend("bench", self.model, "-t", "1,x"), 2, "'x'")

    def test_behind_a_context(self):
        args = ("bench", self.model, "-p", "8", "-n", "4", "-d", "600", "-r", "1", "-t", "1")
        tests = [row["test"] for row in self.assert_json(addend(*args, "--kv-type", "f32", "--json"))["tests"]]
        self.assertEqual(tests, ["pp8 @ d600", "tg4 @ d600"])
        self.assertIn("| tg4 @ d600 |", self.assert_done(addend(*args)).stdout.decode())

    def test_blocks_need_heads_to_fit(self):
        for command in (["bench"], ["run", "-p", "x", "-n", "2"], ["eval", "-f", self.model / "config.json", "-c", "16"]):
            result = addend(command[0], self.model, *command[1:], "--kv-type", "q8_0")
            self.assert_fails(result, 1, "heads of 16 cannot be stored as q8_0")

    def test_memory_and_profile(self):
        args = ("bench", self.model, "-p", "4", "-n", "4", "-r", "1", "-t", "1", "--profile")
        prompt, decode = self.assert_json(addend(*args, "--json"))["tests"]
        self.assertNotIn("read_bandwidth", prompt)
        self.assertGreater(decode["read_bandwidth"], 0)
        self.assertGreater(decode["weight_bytes_per_second"], 0)
        for row in (prompt, decode):
            self.assertEqual(len(row["seconds_by_operation"]), 10)
            self.assertTrue(all(seconds > 0 for seconds in row["seconds_by_operation"].values()))
        text = self.assert_done(addend(*args)).stdout.decode()
        self.assertIn("q, k, v", text)

    def test_shape(self):
        config, saved = self.model / "config.json", self.folder / "saved.gguf"
        args = ("bench", "--shape", config, "--bits", "2", "-p", "0", "-n", "2", "-r", "1", "--json")
        made = self.assert_json(addend(*args, "--save", saved))
        again = self.assert_json(addend("bench", saved, *args[5:]))
        self.assertEqual(made["bytes"], again["bytes"])
        self.assert_fails(addend("bench", "--shape", "llama-9"), 2, "llama-2-7b")
        self.assert_fails(addend("bench", self.model, *args[1:]), 2, "either a model or --shape")
        self.assert_fails(addend("bench"), 2, "either a model or --shape")
        self.assert_fails(addend("bench", self.model, "--save", saved), 2, "--save")
        self.assert_fails(addend(*args, "--save", self.folder / "none" / "x.gguf"), 1, "x.gguf")


class Selftest(CliTest):
    def test_all(self):
        text = self.assert_done(addend("selftest")).stdout.decode()
        self.assertIn("scalar", text)
        self.assertIn("OpenBLAS", text)
        environment = os.environ | {"OPENBLAS_CORETYPE": "Haswell"}
        self.assertIn(b"OPENBLAS_CORETYPE=Haswell", addend("selftest", "--target", "scalar", env=environment).stdout)

    def test_json(self):
        result = self.assert_json(addend("selftest", "--json"))
        self.assertIn("scalar", result["targets"])
        self.assertIn(result["target"], result["targets"])
        self.assertTrue(all(kernel["ok"] and kernel["worst_error"] <= kernel["bound"] for kernel in result["kernels"]))
        self.assertIsNone(result["openblas"]["problem"])
        self.assertEqual(result["failed"], 0)

    def test_targets(self):
        text = self.assert_done(addend("selftest", "--target", "scalar")).stdout.decode()
        self.assertNotIn(" avx2 ", text.split("kernel")[1])
        self.assertIn("target in use: scalar (very slow", text)
        self.assert_fails(addend("selftest", "--target", "sse9"), 2, "sse9")


class Compress(Compressed):
    def test_leaves_the_file_and_nothing_else(self):
        self.assertEqual([f.name for f in self.files],
                         ["calibration.txt", "compressed.gguf", "text.txt", "tiny model"])

    def test_report(self):
        self.assertEqual(self.report["file_bytes"], self.compressed.stat().st_size)
        self.assertEqual(len(self.report["linears"]), 21)
        self.assertEqual([block["block"] for block in self.report["block_tuning"]], [0, 1, 2])
        for block in self.report["block_tuning"]:
            self.assertLessEqual(block["error_after"], block["error_before"])
        self.assertEqual(self.report["distillation"]["steps"], 20)

    def test_works(self):
        self.assert_done(addend("run", self.compressed, "-p", "the", "-n", "8"))
        self.assert_done(addend("bench", self.compressed, "-p", "16", "-n", "4", "-r", "1"))
        result = self.assert_json(addend("eval", self.compressed, "-f", self.text, "-c", "32", "--reference", self.model,
                                         "--json"))
        self.assertGreater(result["divergence"]["hf"]["kl"]["mean"], 0)
        tokens = [addend("tokenize", model, "the License", "--json").stdout for model in (self.model, self.compressed)]
        self.assertEqual(*tokens)

    def test_same_settings_give_the_same_file(self):
        for threads in ("1", "2"):
            again = self.folder / f"again{threads}.gguf"
            result = self.assert_done(addend(*self.compress_arguments(again, "-t", threads)))
            self.assertIn(b"whole file", result.stdout)  # the report for people
            self.assertIn(b"factorize", result.stderr)  # progress
            self.assertEqual(again.read_bytes(), self.compressed.read_bytes())

    def test_another_seed_gives_another_file(self):
        other = self.folder / "other.gguf"
        result = self.assert_done(addend(*self.compress_arguments(other, "--seed", "2", "--quiet")))
        self.assertEqual(result.stderr, b"")
        self.assertNotEqual(other.read_bytes(), self.compressed.read_bytes())

    def test_every_method(self):
        for method in ("dbf", "dbf-admm"):
            out = self.folder / f"{method}.gguf"
            self.assert_done(addend(*self.compress_arguments(out, "--method", method, "--quiet")))
            recipe = self.assert_json(addend("inspect", out, "--json"))["recipe"]
            self.assertEqual(recipe["method"], method)

    def test_every_way_to_compress(self):
        ranks = {}
        for option, value, setting in [("--allocation", "uniform", "uniform"), ("--allocation", "channels", "channels"),
                                       ("--allocation", "marginal", "marginal"), ("--prefix", "compressed", "compressed"),
                                       ("--train", "all", "all")]:
            with self.subTest(f"{option} {value}"):
                out = self.folder / f"way-{value}.gguf"
                report = self.assert_json(addend(*self.compress_arguments(out, option, value, "--quiet", "--json")))
                self.assertLessEqual(report["linear_bits_per_weight"], 3)
                self.assertGreater(report["linear_bits_per_weight"], 2.8)
                recipe = self.assert_json(addend("inspect", out, "--json"))["recipe"]
                self.assertEqual(recipe[option.removeprefix("--")], setting)
                ranks[value] = [linear["rank"] for linear in report["linears"]]
        self.assertEqual(ranks["compressed"], ranks["marginal"])
        self.assertNotEqual(ranks["uniform"], ranks["marginal"])
        self.assertNotEqual(ranks["uniform"], ranks["channels"])

    def test_every_form_of_the_embedding(self):
        sizes = {}
        for option, value in [("type", "q8_0"), ("type", "q5_1"), ("type", "q5_0"), ("type", "q4_1"), ("type", "q4_0"),
                              ("bits", "2")]:
            with self.subTest(f"{option} {value}"):
                out = self.folder / f"embedding-{value}.gguf"
                report = self.assert_json(addend(*self.compress_arguments(out, f"--embedding-{option}", value, "--quiet",
                                                                          "--json")))
                contents = self.assert_json(addend("inspect", out, "--json"))
                self.assertEqual(contents["embedding"]["type"], value if option == "type" else "factored")
                self.assertEqual(contents["head"]["type"], contents["embedding"]["type"])
                self.assertEqual(contents["recipe"][f"embedding_{option}"], value if option == "type" else 2)
                self.assertEqual(len(report["embeddings"]), 0 if option == "type" else 2)
                sizes[value] = report["file_bytes"]
                self.assert_done(addend("run", out, "-p", "the", "-n", "8"))
        self.assertEqual(sorted(sizes, key=sizes.get), ["2", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"])
        factored = self.folder / "embedding-2.gguf"
        self.assertIn("factored", self.assert_done(addend("inspect", factored)).stdout.decode())
        refined = self.folder / "refined-embedding.gguf"
        self.assert_done(addend("refine", factored, "--reference", self.model, "-o", refined, "--effort", "fast",
                                "--calibration", self.calibration, "--calibration-length", "32", "--distill-steps", "3"))
        dense = self.folder / "embedding.f32.gguf"
        self.assert_done(addend("export", factored, "-o", dense, "--type", "f32"))
        perplexities = [self.assert_json(addend("eval", model, "-f", self.text, "-c", "64", "--json"))
                        ["perplexity"]["hf"]["perplexity"] for model in (factored, dense)]
        self.assertAlmostEqual(*perplexities, delta=0.005 * perplexities[0])
        self.assert_fails(addend("compress", factored, "-o", self.folder / "never.gguf"), 1, factored, "already compressed")

    def sized(self, out, size, *more):
        arguments = [a for a in self.compress_arguments(out, *more) if a not in ("--bits", "3")]
        return addend(*arguments, "--size", size)

    def test_size(self):
        sizes = self.compressed.stat().st_size
        for share, more in [(0.8, []), (1.0, ["--allocation", "uniform"]), (0.9, ["--embedding-type", "q4_0"]),
                            (0.7, ["--embedding-bits", "1.5"])]:
            with self.subTest(f"{share} {more}"):
                size, out = int(share * sizes), self.folder / f"sized-{share}.gguf"
                plan = self.assert_json(self.sized(out, str(size), "--dry-run", "--json", *more))
                self.assertLessEqual(plan["file_bytes"], size)
                self.assertFalse(out.exists())
                report = self.assert_json(self.sized(out, str(size), "--json", "--quiet", *more))
                self.assertEqual(report["file_bytes"], out.stat().st_size)
                self.assertLessEqual(report["file_bytes"], size)
                self.assertGreater(report["file_bytes"], 0.9 * size)
                recipe = self.assert_json(addend("inspect", out, "--json"))["recipe"]
                self.assertEqual(recipe["size"], size)
                self.assertAlmostEqual(recipe["bits"], report["linear_bits_per_weight"], delta=0.2)
                if more[:1] == ["--embedding-type"]:
                    self.assertEqual(recipe["embedding_type"], more[1])

    def test_size_that_cannot_be(self):
        out = self.folder / "never.gguf"
        for more in ([], ["--dry-run"]):
            self.assert_fails(self.sized(out, "20kB", "--quiet", *more), 1, "--size 20.0 kB", "at least")
        self.assert_fails(self.sized(out, "20 kB"), 2, "--size", "20 kB")
        self.assert_fails(addend(*self.compress_arguments(out), "--size", "1M"), 2, "--size", "--bits")
        self.assert_fails(self.sized(out, "1M", "--allocation", "channels"), 2, "--size", "marginal")
        self.assertEqual(list(self.folder.glob("never*")), [])

    def test_text_by_the_model_itself(self):
        out = self.folder / "self.gguf"
        self.assert_done(addend("compress", self.model, "-o", out, "--bits", "3", "--effort", "fast", "--quiet",
                                "--calibration-length", "16", "--calibration-sequences", "8", "--distill-time", "0"))
        self.assert_done(addend("inspect", out))

    def test_awkward_names(self):
        text = bytes(self.folder) + b"/n\xff\xc3\xa4me.txt"  # file names need not be UTF-8
        shutil.copy(self.calibration, text)
        out = self.folder / "ä b.gguf"
        result = addend("compress", self.model, "-o", out, "--bits", "3", "--effort", "fast", "--calibration", text,
                        "--calibration-length", "32", "--calibration-sequences", "8", "--distill-time", "0", "--json")
        self.assertEqual(self.assert_json(result)["file"], str(out))

    def test_dry_run(self):
        before = sorted(self.folder.iterdir())
        arguments = self.compress_arguments(self.folder / "plan.gguf", "--dry-run")
        plan = self.assert_json(addend(*arguments, "--json"))
        self.assertAlmostEqual(plan["file_bytes"], self.compressed.stat().st_size, delta=0.03 * plan["file_bytes"])
        self.assertEqual(plan["seconds"]["text"], 0)
        self.assertIn(b"distil", self.assert_done(addend(*arguments)).stdout)
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_dry_run_follows_the_options(self):
        def seconds(*more):
            return self.assert_json(addend("compress", self.model, "-o", self.folder / "plan.gguf", "--bits", "3",
                                           "--dry-run", "--json", *more))["seconds"]
        self.assertGreater(seconds()["text"], 0)
        self.assertGreater(seconds()["distil"], 0)
        self.assertEqual(seconds("--distill-steps", "0")["distil"], 0)
        self.assertGreater(seconds("--distill-steps", "100000")["distil"], 10 * seconds("--distill-steps", "100")["distil"])
        self.assertEqual(seconds("--distill-time", "2m")["distil"], 120)
        self.assertEqual(seconds("--distill-time", "0")["distil"], 0)
        self.assertAlmostEqual(sum(seconds("--time", "5h").values()), 5 * 3600)

    def test_dry_run_checks_what_the_job_needs(self):
        out, empty = self.folder / "plan.gguf", self.folder / "empty.txt"
        empty.write_text("")
        for text, part in [("nope", "nope"), (empty, "at least 3")]:
            self.assert_fails(addend("compress", self.model, "-o", out, "--dry-run", "--calibration", text), 1, part)
        self.assert_fails(addend("compress", self.model, "-o", self.folder, "--dry-run"), 1, self.folder)
        self.assert_fails(addend("compress", self.model, "-o", out, "--dry-run", "--work-folder", self.model), 1,
                          "work folder")

    def test_no_distillation(self):
        for option in ("--distill-steps", "--distill-time"):
            report = self.assert_json(addend("compress", self.model, "-o", self.folder / "none.gguf", "--bits", "3",
                                             "--effort", "fast", "--calibration", self.calibration, "--calibration-length",
                                             "32", "--calibration-sequences", "8", option, "0", "--json"))
            self.assertEqual(report["distillation"]["steps"], 0)
        (self.folder / "none.gguf").unlink()

    def test_refine(self):
        out = self.folder / "refined.gguf"
        arguments = ["refine", self.compressed, "--reference", self.model, "--calibration", self.calibration,
                     "--calibration-length", "32", "--distill-steps", "20"]
        report = self.assert_json(addend(*arguments, "-o", out, "--json"))
        self.assertEqual(report["file_bits_per_weight"], 8 * out.stat().st_size / report["total_weights"])
        before = self.report["distillation"]["curve"]
        after = report["distillation"]["curve"]
        self.assertLessEqual(min(point["held_out_kl"] for point in after),
                             1.001 * min(point["held_out_kl"] for point in before))  # scales were rounded to fp16
        self.assertEqual(report["block_tuning"], [])
        report = self.assert_json(addend(*arguments, "-o", out, "--json", "--block-epochs", "2"))
        self.assertEqual(len(report["block_tuning"]), 3)
        out.unlink()
        for source in (self.compressed, self.model, self.calibration):
            self.assert_fails(addend(*arguments, "-o", source), 1, "source itself")

    def test_recipe_says_what_the_bytes_depend_on(self):
        recipe = self.assert_json(addend("inspect", self.compressed, "--json"))["recipe"]
        self.assertEqual(recipe["calibration"]["sources"], ["calibration.txt"])
        self.assertEqual(recipe["test"]["perplexity"], self.report["quality"]["perplexity"])
        self.assertIn(recipe["kernels"]["target"], ("scalar", "sse41", "avx2", "avx512", "neon"))
        self.assertTrue(recipe["kernels"]["openblas"])

    def test_calibration_from_standard_input(self):
        arguments = self.compress_arguments(self.folder / "stdin.gguf", "--json")
        arguments[arguments.index(self.calibration)] = "-"
        report = self.assert_json(addend(*arguments, input=self.calibration.read_bytes()))
        self.assertEqual(report["quality"], self.report["quality"])
        self.assert_fails(addend(*arguments, input=b"short"), 1, "at least 3")
        self.assert_fails(addend(*arguments, "--calibration", "-", "-"), 2, "--calibration")

    def test_interrupt_while_reading_standard_input(self):
        process = subprocess.Popen([ADDEND, "compress", self.model, "-o", self.folder / "x.gguf", "--calibration", "-"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdin.write(b"word " * 100_000)  # more than a pipe holds: it returns when the program reads
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        self.assertEqual(process.wait(timeout=60), 130)

    def test_text_that_is_no_good_leaves_nothing(self):
        before = sorted(self.folder.iterdir())
        out, text = self.folder / "retry.gguf", self.folder / "retry.txt"
        arguments = self.compress_arguments(out, "--quiet")
        arguments[arguments.index(self.calibration)] = text
        self.assert_fails(addend(*arguments), 1, "retry.txt")
        text.write_text("too short")
        self.assert_fails(addend(*arguments), 1, "at least 3")
        text.unlink()
        self.assertEqual(sorted(self.folder.iterdir()), before)

    def assert_refused_at_once(self, arguments, code, *parts):
        """Before any progress, also of a plan; and nothing has changed."""
        state = lambda: {path: path.stat().st_size for path in self.folder.rglob("*") if path.is_file()}
        before = state()
        for more in ([], ["--dry-run"]):
            self.assert_fails(addend(*arguments, *more), code, *parts)
        self.assertEqual(state(), before)

    def test_outputs_that_cannot_be(self):
        for out, part in [(self.folder, "not a regular file"), (".", "not a regular file"),
                          ("/dev/full", "not a regular file"), ("/proc/x.gguf", "/proc/x.gguf"),
                          (self.folder / ("x" * 250), "name too long"), (self.folder / ("x" * 300), "name too long"),
                          (self.folder / "none/x.gguf", "no folder")]:
            with self.subTest(out):
                self.assert_refused_at_once(self.compress_arguments(out), 1, part)
        self.assert_refused_at_once(self.compress_arguments(""), 2, "the name is empty")

    def test_inputs_are_not_overwritten(self):
        for out in (self.model, self.calibration):
            self.assert_refused_at_once(self.compress_arguments(out), 1, "source itself")
        self.assert_refused_at_once(self.compress_arguments(self.model / "model.safetensors"), 1, "part of the source")

    def test_work_folder_of_others(self):
        out, users = self.folder / "w.gguf", self.folder / "users folder"
        users.mkdir(exist_ok=True)
        (users / "thesis.txt").write_text("x")
        for work, part in [(users, "thesis.txt"), (self.model, "it holds"), (self.folder, "it holds"),
                           (self.calibration, "Not a directory"), (out, "is in the work folder"),
                           ("/proc", "it holds")]:
            with self.subTest(work):
                self.assert_refused_at_once(self.compress_arguments(out, "--work-folder", work), 1, work, part)

    def test_work_folder_that_is_empty(self):
        out, work = self.folder / "w.gguf", self.folder / "empty"
        work.mkdir()
        self.assert_fails(addend(*self.compress_arguments(work / "w.gguf", "--work-folder", work)), 1, "in the work folder")
        self.assert_done(addend(*self.compress_arguments(out, "--work-folder", work)))
        self.assertFalse(work.exists())

    def test_original_that_fails(self):
        """Its weights are finite, but not what it computes."""
        broken = self.folder / "overflow"
        shutil.copytree(self.model, broken)
        edit_floats(broken, "model.layers.1.mlp.up_proj.weight", lambda values: [3e38] * len(values))
        for calibration, part in [([], "logit"), (["--calibration", self.calibration], "not a finite number")]:
            self.assert_fails(addend("compress", broken, "-o", self.folder / "x.gguf", "--quiet", *calibration), 1,
                              broken, "the original model fails", part)
        self.assertFalse((self.folder / "x.gguf.work").exists())

    def test_bad_inputs(self):
        before = sorted(self.folder.iterdir())
        self.assert_fails(addend("compress", self.folder / "none", "-o", self.folder / "x.gguf"), 1, "none")
        self.assert_fails(addend("compress", self.compressed, "-o", self.folder / "x.gguf"), 1, "already compressed")
        self.assert_fails(addend("compress", self.model, "-o", self.folder / "x.gguf", "--calibration", "none.txt"), 1,
                          "none.txt")
        self.assertEqual(sorted(self.folder.iterdir()), before)


class Resume(CliTest):
    ENDLESS = 10_000_000  # steps: hours of distillation

    def test_killed_at_any_moment(self):
        whole, resumed = self.folder / "whole.gguf", self.folder / "resumed.gguf"
        begin = time.monotonic()
        self.assert_done(addend(*self.compress_arguments(whole, steps=60)))
        duration = time.monotonic() - begin
        rng = random.Random(20240611)
        for _ in range(6):
            process = start(*self.compress_arguments(resumed, steps=60))
            time.sleep(rng.uniform(0.02, duration))
            process.kill()
            process.communicate()
            # The output appears by one rename, when all the work is done.
            if resumed.exists():
                self.assertEqual(resumed.read_bytes(), whole.read_bytes())
        self.assert_done(addend(*self.compress_arguments(resumed, steps=60)))
        self.assertEqual(resumed.read_bytes(), whole.read_bytes())
        self.assertFalse((self.folder / "resumed.gguf.work").exists())

    def test_interrupt_and_other_settings(self):
        out = self.folder / "interrupted.gguf"
        arguments = self.compress_arguments(out, steps=self.ENDLESS)
        process = start(*arguments)
        output, message = interrupt_at(process, "distil")
        self.assertEqual((process.returncode, output), (130, b""), message)
        last = message.decode().splitlines()[-1]
        self.assertIn("addend: interrupted", last)
        self.assertIn("same command goes on", last)
        left = [path.name for path in self.folder.rglob("*")]
        self.assertNotIn(out.name, left)
        self.assertFalse([name for name in left if ".partial" in name], left)
        # The work folder now belongs to that job.
        self.assert_fails(addend(*self.compress_arguments(out, "--quiet")), 1, "delete the folder",
                          "interrupted.gguf.work", "with --distill-steps 10000000, not with --distill-steps 20")
        self.assert_fails(addend(*arguments, "--seed", "2", "--quiet"), 1, "with --seed 1, not with --seed 2")
        self.assertFalse(out.exists())

    def test_two_jobs_in_one_work_folder(self):
        out = self.folder / "two.gguf"
        arguments = self.compress_arguments(out, "--quiet", steps=self.ENDLESS)
        process = start(*arguments)
        while not (self.folder / "two.gguf.work/settings.addend-work").exists() and process.poll() is None:
            time.sleep(0.01)
        self.assert_fails(addend(*arguments), 1, "another addend")
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_kept_work_folder(self):
        out, work = self.folder / "kept.gguf", self.folder / "kept work"
        more = ["--work-folder", work, "--keep-work", "--quiet"]
        self.assert_done(addend(*self.compress_arguments(out, *more)))
        first = out.read_bytes()
        out.unlink()
        self.assertTrue(work.is_dir())
        self.assert_done(addend(*self.compress_arguments(out, *more)))
        self.assertEqual(out.read_bytes(), first)

    def test_damaged_work_folder(self):
        out, work = self.folder / "damaged.gguf", self.folder / "damaged work"
        arguments = self.compress_arguments(out, "--work-folder", work, "--keep-work")
        self.assert_done(addend(*arguments))
        first = out.read_bytes()
        for name, damage in [("blk.1.attn_q", lambda content: content[:len(content) // 2]), ("importance", lambda content: b"")]:
            part = work / f"{name}.part.addend-work"
            part.write_bytes(damage(part.read_bytes()))
            result = self.assert_done(addend(*arguments))
            self.assertIn(f"{name} was damaged and is made again", result.stderr.decode())
            self.assertEqual(out.read_bytes(), first)
        settings = work / "settings.addend-work"
        for text in ("[]", "null", "3", ""):
            settings.write_text(text)
            self.assert_fails(addend(*arguments), 1, settings, f"delete the folder {work}")


class DamagedFiles(Compressed):
    def assert_refused(self, path, *parts):
        """By every command that reads models, and nothing is written."""
        before = sorted(self.folder.iterdir())
        out = self.folder / "out.gguf"
        for arguments in [["run", path, "-p", "x", "-n", "2"], ["export", path, "-o", out],
                          ["eval", path, "-f", self.text, "--quiet"], ["compress", path, "-o", out, "--quiet"]]:
            with self.subTest(arguments[0]):
                self.assert_fails(addend(*arguments), 1, path, *parts)
                self.assertEqual(sorted(self.folder.iterdir()), before)

    def test_not_there(self):
        self.assert_refused(self.folder / "none.gguf", "no such file")

    def test_not_a_model(self):
        self.assert_refused(self.folder)  # a folder without config.json
        self.assert_refused(self.text)
        empty = self.folder / "empty.gguf"
        empty.write_bytes(b"")
        self.assert_refused(empty)

    def test_truncated(self):
        content = self.compressed.read_bytes()
        path = self.folder / "truncated.gguf"
        for length in (3, 4, 20, 100, 5000, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:length])
            self.assert_fails(addend("inspect", path), 1, path)
        self.assert_refused(path)

    def test_flipped_bit(self):
        content = self.compressed.read_bytes()
        path = self.folder / "flipped.gguf"
        rng = random.Random(5)
        # The second half of the file is tensors, each with a checksum. Between them is padding, which has none and
        # is zero.
        of_tensors = [at for at in range(len(content) // 2, len(content)) if content[at] != 0]
        for at in rng.sample(of_tensors, 20):
            damaged = bytearray(content)
            damaged[at] ^= 1 << rng.randrange(8)
            path.write_bytes(damaged)
            self.assert_fails(addend("inspect", path), 1, path, "checksum")

    def test_flipped_bit_in_the_metadata(self):
        content = self.compressed.read_bytes()
        path = self.folder / "header.gguf"
        end = content.index(struct.pack("<Q", 17) + b"token_embd.weight")  # the first description of a tensor
        rng = random.Random(6)
        for at in [*range(24), *(rng.randrange(24, end) for _ in range(30))]:
            damaged = bytearray(content)
            damaged[at] ^= 1 << rng.randrange(8)
            path.write_bytes(damaged)
            self.assert_fails(addend("inspect", path), 1, path)

    def test_cut_off_while_in_use(self):
        model, text = self.folder / "in use.gguf", self.folder / "long.txt"
        self.assert_done(addend("export", self.model, "-o", model, "--type", "f32"))
        text.write_text(words(3, 400_000))
        process = start("eval", model, "-f", text, "-n", "0", "-c", "64")
        for line in process.stderr:
            if line.startswith(b"evaluate"):
                break
        os.truncate(model, 0)
        output, message = process.communicate(timeout=60)
        self.assertEqual((process.returncode, output), (1, b""), message)
        self.assertRegex(message, rb"addend: [^\n]* cut off[^\n]*\n$")

    def test_weight_that_is_not_finite(self):
        for name, value in [("nan", float("nan")), ("inf", float("inf"))]:
            broken = self.folder / name
            shutil.copytree(self.model, broken)
            edit_floats(broken, "model.layers.1.mlp.up_proj.weight", lambda values: [value, *values[1:]])
            self.assert_refused(broken, "ffn_up")

    def test_bad_config(self):
        for change, part in [({"num_hidden_layers": 4}, "layers.3"), ({"hidden_size": 128}, "64"),
                             ({"architectures": ["MambaForCausalLM"], "model_type": "mamba"}, "mamba"),
                             ({"num_hidden_layers": -1}, "num_hidden_layers"),
                             ({"vocab_size": 10**12}, "vocab")]:
            shutil.rmtree(self.folder / "config", ignore_errors=True)
            broken = copy_with(self.model, self.folder / "config", "config.json", lambda config: config.update(change))
            self.assert_fails(addend("inspect", broken), 1, broken, part)


if __name__ == "__main__":
    ADDEND = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])

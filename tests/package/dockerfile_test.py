#!/usr/bin/env python3
"""Reads the Dockerfile as far as that is possible without building it: what it copies is there, packages come from
scripts/install_packages.sh alone, and the image runs as nobody special.

    tests/package/dockerfile_test.py
"""
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def instructions():
    """[instruction, arguments] for each, with continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [line.split(maxsplit=1) for line in lines if line.strip()]


class Dockerfile(unittest.TestCase):
    def setUp(self):
        self.instructions = instructions()
        last = max(i for i, (name, _) in enumerate(self.instructions) if name == "FROM")
        self.build, self.image = self.instructions[:last], self.instructions[last:]

    def arguments(self, stage, name):
        return [arguments for instruction, arguments in stage if instruction == name]

    def test_stages_are_of_one_release(self):
        images = [arguments.split()[0] for arguments in self.arguments(self.instructions, "FROM")]
        self.assertEqual(len(images), 2)
        self.assertEqual(len(set(images)), 1)
        self.assertRegex(images[0], r"^debian:\w+-slim$")
        # Documents, package names and this name speak of one release.
        self.assertIn("bookworm", images[0])
        self.assertIn("Debian 12", (ROOT / "README.md").read_text())

    def test_packages_come_from_one_list(self):
        build = " ".join(self.arguments(self.build, "RUN"))
        self.assertIn("scripts/install_packages.sh --package", build)
        self.assertNotIn("apt-get", build)
        installed = re.findall(r"apt-get [^&]*install ([^&]*)", " ".join(self.arguments(self.image, "RUN")))
        words = [word for words in installed for word in words.split() if not word.startswith("-")]
        self.assertEqual(words, ["/tmp/addend_*.deb"])
        script = (ROOT / "scripts/install_packages.sh").read_text()
        self.assertRegex(script, r"\"\$\{1:-\}\" = --package \]")
        for package in ("dpkg-dev", "file"):  # without these the package would not name what it depends on
            self.assertRegex(script, rf"packages\+=\([^)]*\b{package}\b")

    def test_what_is_copied_is_there(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        for arguments in self.arguments(self.build, "COPY"):
            *sources, _ = arguments.split()
            for source in sources:
                self.assertTrue((ROOT / source).exists(), source)
        needed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
        for name in ignored:
            self.assertEqual([file for file in needed if file.split("/")[0] == name], [])
        # The script is copied to where the first RUN calls it.
        self.assertEqual(self.arguments(self.build, "COPY")[0], "scripts/install_packages.sh scripts/")

    def test_package_is_handed_on(self):
        self.assertIn("cpack -G DEB -B /packages", " ".join(self.arguments(self.build, "RUN")))
        self.assertEqual(self.arguments(self.image, "COPY"), ["--from=build /packages/addend_*.deb /tmp/"])
        self.assertRegex(self.arguments(self.build, "FROM")[0], " AS build$")

    def test_user_and_entry(self):
        self.assertEqual(self.arguments(self.image, "USER"), ["addend"])
        order = [name for name, _ in self.image]
        self.assertGreater(order.index("USER"), order.index("RUN"))
        self.assertIn("useradd --create-home --uid 1000 addend", " ".join(self.arguments(self.image, "RUN")))
        self.assertEqual(self.arguments(self.image, "ENTRYPOINT"), ['["addend"]'])

    def test_small(self):
        run = " ".join(self.arguments(self.image, "RUN"))
        self.assertEqual(len(self.arguments(self.image, "RUN")), 1)
        for part in ("--no-install-recommends", "rm -rf /tmp/addend_*.deb /var/lib/apt/lists/*"):
            self.assertIn(part, run)


if __name__ == "__main__":
    unittest.main()

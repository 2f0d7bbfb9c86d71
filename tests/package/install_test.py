#!/usr/bin/env python3
"""Installs a build into a folder and uses what is there, as those do who have no clone: the program, its pages, and the
library from a CMake project of its own.

    tests/package/install_test.py build/release [Class[.test]]
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests/serve"))
from server_test import make_model

BUILD = None  # the build folder, from the command line


def run(*command, **options):
    """Runs to the end; returns what came out, and fails with it."""
    result = subprocess.run(command, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL, **options)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def cache_value(name):
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(name + ":"):
            return line.split("=", 1)[1]
    raise KeyError(name)


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.prefix = cls.folder / "an installed tree"  # a name with spaces in it
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)
        cls.files = sorted(str(file.relative_to(cls.prefix)) for file in cls.prefix.rglob("*") if not file.is_dir())


class Tree(InstallTest):
    def test_program(self):
        version = run(self.prefix / "bin/addend", "--version")
        self.assertEqual(version, f"addend {cache_value('CMAKE_PROJECT_VERSION')}\n")

    def test_one_header_without_others(self):
        headers = [file for file in self.files if file.startswith("include/")]
        self.assertEqual(headers, ["include/addend/addend.h"])
        text = (self.prefix / headers[0]).read_text()
        self.assertNotIn('#include "', text)

    def test_nothing_points_into_the_clone(self):
        for file in self.files:
            if not file.endswith((".cmake", ".1")) and "completion" not in file:
                continue
            text = (self.prefix / file).read_text()
            for place in (ROOT, BUILD, self.prefix):
                self.assertNotIn(str(place), text, file)

    def test_pages_and_completions(self):
        for name in ("man/man1/addend.1", "man/man1/addend-compress.1", "bash-completion/completions/addend",
                     "zsh/site-functions/_addend"):
            self.assertIn("share/" + name, self.files)
        for shell, name in [("bash", "bash-completion/completions/addend"), ("zsh", "zsh/site-functions/_addend")]:
            self.assertEqual((self.prefix / "share" / name).read_text(), run(self.prefix / "bin/addend", "completions", shell))

    def test_documents(self):
        for name in ("README.md", "LICENSE", "CHANGELOG.md", "docs/server.md", "examples/generate/generate.cpp"):
            self.assertIn("share/doc/addend/" + name, self.files)


class Library(InstallTest):
    def configure(self, source, build, *more, **options):
        return run("cmake", "-S", source, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                   f"-DCMAKE_CXX_COMPILER={cache_value('CMAKE_CXX_COMPILER')}", "-DCMAKE_BUILD_TYPE=Debug", *more,
                   **options)

    def test_example(self):
        # A copy of what was installed: nothing of the clone can help it.
        source, build = self.folder / "example", self.folder / "example build"
        shutil.copytree(self.prefix / "share/doc/addend/examples/generate", source)
        self.configure(source, build, "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wshadow -Wconversion -Werror")
        run("cmake", "--build", build)
        model = make_model(self.folder)
        result = subprocess.run([build / "generate", model, "Hello"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        said = run(self.prefix / "bin/addend", "run", model, "Hello", "-n", "64", "--temp", "0", "--quiet")
        self.assertEqual(result.stdout.rstrip("\n"), said.rstrip("\n"))
        self.assertRegex(result.stderr, r"\d+ tokens read, \d+ written")

        result = subprocess.run([build / "generate", self.folder / "none", "Hello"], capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("none", result.stderr)

    def test_example_is_short(self):
        self.assertLessEqual(len((ROOT / "examples/generate/generate.cpp").read_text().splitlines()), 35)

    def write_project(self, name, lines):
        source = self.folder / name
        source.mkdir()
        (source / "CMakeLists.txt").write_text(
            f"cmake_minimum_required(VERSION 3.25)\nproject({name} LANGUAGES CXX)\n{lines}\n")
        return source

    def test_versions(self):
        major, minor, _ = cache_value("CMAKE_PROJECT_VERSION").split(".")
        for version, found in [(f"{major}.{minor}", True), (f"{major}.{int(minor) + 1}", False), ("99", False)]:
            name = "version_" + version.replace(".", "_")
            source = self.write_project(
                name, f'find_package(addend {version} QUIET)\nmessage(STATUS "addend_FOUND=[${{addend_FOUND}}]")')
            said = self.configure(source, self.folder / f"{name} build")
            self.assertRegex(said, r"addend_FOUND=\[(1|TRUE)\]" if found else r"addend_FOUND=\[(0|FALSE|)\]", version)

    def test_what_it_links_is_missing(self):
        source = self.write_project("missing", "find_package(addend REQUIRED)")
        with self.assertRaises(AssertionError) as failure:
            self.configure(source, self.folder / "missing build", "-DPKG_CONFIG_EXECUTABLE=/bin/false")
        self.assertRegex(str(failure.exception), "PkgConfig|pkg-config")


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()

#!/usr/bin/env python3
"""Makes the Debian packages of a build, unpacks them into a folder (nothing is installed, nobody need be root) and uses
what is in them.

    tests/package/debian_test.py build/release [Class[.test]]
"""
import gzip
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import install_test
from install_test import cache_value, make_model, run

SKIPPED = 77  # what CTest takes for "skipped"


class Debian(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-debian-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run("cpack", "-G", "DEB", "-B", cls.folder / "packages", cwd=install_test.BUILD)
        cls.packages = {path.name.split("_")[0]: path for path in (cls.folder / "packages").glob("*.deb")}
        cls.root = cls.folder / "root"
        for path in cls.packages.values():
            run("dpkg-deb", "-x", path, cls.root)

    def field(self, package, name):
        return run("dpkg-deb", "-f", self.packages[package], name).strip()

    def contents(self, package):
        return [line.split(maxsplit=5) for line in run("dpkg-deb", "-c", self.packages[package]).splitlines()]

    def test_control(self):
        self.assertEqual(sorted(self.packages), ["addend", "addend-dev"])
        for package in self.packages:
            self.assertEqual(self.field(package, "Version"), cache_value("CMAKE_PROJECT_VERSION") + "-1")
            self.assertRegex(self.field(package, "Maintainer"), r"^The addend authors <\S+>$")
            summary, *lines = self.field(package, "Description").splitlines()
            self.assertLess(len(summary), 80)
            for line in lines:
                self.assertRegex(line, r"^ (\S|\.$)")
        if shutil.which("dpkg-shlibdeps"):
            for library in ("libc6", "libopenblas0", "libpcre2-8-0", "libedit2", "libcpp-httplib"):
                self.assertIn(library, self.field("addend", "Depends"))

    def test_every_library_that_the_archive_needs_is_named(self):
        """addend-dev depends on what brings the pkg-config modules that addendConfig.cmake asks for."""
        config = (self.root / "usr/lib/cmake/addend/addendConfig.cmake").read_text()
        modules = re.search(r"IMPORTED_TARGET ([^)]*)\)", config).group(1).split()
        self.assertIn("openblas", modules)
        needed = {name.strip() for name in self.field("addend-dev", "Depends").split(",")}
        libraries = run(install_test.ROOT / "scripts/install_packages.sh", "--print-libraries").split()
        for module in modules:
            stem = module.split("-")[0].removeprefix("lib")
            packages = [name for name in libraries if stem in name]
            self.assertEqual(len(packages), 1, module)
            self.assertIn(packages[0], needed)

    def test_owners_and_permissions(self):
        for package in self.packages:
            for permissions, owner, _, _, _, name in self.contents(package):
                self.assertEqual(owner, "root/root", name)
                program = name.endswith("/") or "/bin/" in name
                self.assertEqual(permissions[1:], "rwxr-xr-x" if program else "rw-r--r--", name)

    def test_places(self):
        names = {name for package in self.packages for *_, name in self.contents(package)}
        for name in ("bin/addend", "share/man/man1/addend-compress.1.gz", "share/bash-completion/completions/addend",
                     "share/zsh/vendor-completions/_addend", "share/doc/addend/copyright", "share/doc/addend/docs/server.md",
                     "include/addend/addend.h", "lib/libaddend.a", "share/doc/addend-dev/examples/generate/generate.cpp"):
            self.assertIn("./usr/" + name, names)
        page = gzip.decompress((self.root / "usr/share/man/man1/addend.1.gz").read_bytes())
        self.assertIn(b".SH NAME", page)

    def test_program_runs(self):
        program = self.root / "usr/bin/addend"
        self.assertEqual(run(program, "--version"), f"addend {cache_value('CMAKE_PROJECT_VERSION')}\n")
        said = run(program, "run", make_model(self.folder), "Hello", "-n", "4", "--temp", "0", "--json")
        self.assertIn('"finish"', said)

    def test_library_links(self):
        build = self.folder / "example"
        run("cmake", "-S", self.root / "usr/share/doc/addend-dev/examples/generate", "-B", build, "-G", "Ninja",
            f"-DCMAKE_PREFIX_PATH={self.root}/usr", f"-DCMAKE_CXX_COMPILER={cache_value('CMAKE_CXX_COMPILER')}")
        run("cmake", "--build", build)
        self.assertTrue((build / "generate").exists())

    @unittest.skipUnless(shutil.which("lintian"), "no lintian")
    def test_lintian(self):
        # The authors have no address for mail; who publishes a package gives one with ADDEND_MAINTAINER. And the last is a
        # rule of Debian's archive.
        known = "bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs"
        said = run("lintian", "--fail-on", "none", "--suppress-tags", known, *self.packages.values())
        self.assertEqual([line for line in said.splitlines() if line.startswith(("E:", "W:"))], [])


if __name__ == "__main__":
    install_test.BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    if not shutil.which("dpkg-deb"):
        print("no dpkg-deb: skipped")
        sys.exit(SKIPPED)
    unittest.main()

#!/usr/bin/env python3
"""The pages of `addend inspect --html` and `addend compare --html` in a real browser.

    tests/browser/report_pages_test.py build/release/addend [Class[.test]]
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from browser import BrowserTest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ADDEND = None  # the program, from the command line


def addend(*arguments):
    return subprocess.run([ADDEND, *arguments], check=True, capture_output=True).stdout


class ReportPages(BrowserTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-pages-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        dense = cls.folder / "dense"
        shutil.copytree(ROOT / "tests/golden/tiny_models/llama", dense)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(ROOT / "tests/cli" / name, dense)
        compressed = [cls.folder / "three.gguf", cls.folder / "one.gguf"]
        job = cls.folder / "job.json"
        for out, bits in zip(compressed, ("3", "1")):
            job.write_bytes(addend("compress", dense, "-o", out, "--bits", bits, "--effort", "fast", "--calibration",
                                   ROOT / "LICENSE", "--calibration-length", "32", "--distill-steps", "20", "--json"))
        cls.pages = {name: (cls.folder / f"{name}.html") for name in ("compressed", "dense", "comparison")}
        addend("inspect", compressed[1], "--html", cls.pages["compressed"], "--job", job)
        addend("inspect", dense, "--html", cls.pages["dense"])
        addend("compare", *compressed, dense, "--html", cls.pages["comparison"])

    def show(self, name, **settings):
        return self.open(self.pages[name].as_uri(), **settings)

    def test_every_screen(self):
        for name in self.pages:
            for scheme in ("light", "dark"):
                for width in (1280, 390, 320):
                    with self.subTest(f"{name} {scheme} {width}"):
                        page = self.show(name, color_scheme=scheme, viewport={"width": width, "height": 800})
                        self.assert_fits(page)
                        self.assert_named(page)
                        self.assert_readable(page, "h1", "header p", "thead th", "tbody th", "footer")
                        if name == "compressed":
                            self.assert_readable(page, ".numbers dt", ".numbers span", "summary", ".tick", ".axis", "dt")
                        self.assertEqual(self.complaints, [])
                        self.assert_alone()

    def test_letters_of_charts_keep_their_size(self):
        for width in (1280, 390):
            page = self.show("compressed", viewport={"width": width, "height": 800})
            for selector in (".chart .tick", ".chart .axis", ".heat .tick"):
                height = page.locator(selector).first.evaluate("node => node.getBoundingClientRect().height")
                self.assertGreater(height, 9, f"{selector} at {width}")

    def test_numbers_on_hover_and_in_a_table(self):
        page = self.show("compressed")
        hover = page.locator(".heat .cell title").all_text_contents()
        self.assertEqual(len(hover), 2 * 21)  # bits and errors of 3 blocks
        self.assertRegex(hover[0], r"^block 0, attn_q: bits a weight \d")
        self.assertEqual(page.locator(".chart .mark title").count() - 21, page.locator("caption:text-is('Tuning') ~ tbody tr").count())
        page.get_by_text("The numbers of every layer").click()
        self.assertTrue(page.get_by_role("row", name="blk.2.ffn_down").is_visible())

    def test_wide_tables_scroll_by_keyboard(self):
        page = self.show("compressed", viewport={"width": 390, "height": 800})
        region = page.get_by_role("region", name="Weights by kind")
        region.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        self.assertGreater(region.evaluate("node => node.scrollLeft"), 0)

    def test_on_paper(self):
        page = self.show("compressed", color_scheme="dark")
        page.emulate_media(media="print", color_scheme="dark")
        self.assertEqual(page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        self.assert_readable(page, "h1", "p", ".tick")
        self.assertGreater(len(page.pdf()), 10_000)


if __name__ == "__main__":
    ADDEND = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()

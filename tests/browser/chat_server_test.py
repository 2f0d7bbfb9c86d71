#!/usr/bin/env python3
"""The chat page of `addend serve` itself, on a tiny model.

    tests/browser/chat_server_test.py build/release/addend [Class[.test]]
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

from browser import BrowserTest

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "serve"))
import server_test

KEY = "open sesame"


class ChatServer(BrowserTest):
    def setUp(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="addend-chat-"))
        self.addCleanup(shutil.rmtree, folder)
        model = server_test.make_model(folder).rename(folder / "tiny <model>")
        self.server = server_test.Server(model, "--api-key", KEY, "--quiet")
        self.addCleanup(self.server.__exit__)
        self.address = f"http://127.0.0.1:{self.server.port}/"

    def ask(self, page, text):
        page.get_by_label("Message", exact=True).fill(text)
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("button", name="Send", exact=True).wait_for()

    def test_conversation(self):
        page = self.open(self.address, allowed=self.address)
        page.get_by_text("This server asks for a key.").wait_for()
        page.get_by_label("API key of this server").fill(KEY)
        page.keyboard.press("Enter")
        page.locator("h1", has_text="tiny <model>").wait_for()
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("System prompt").fill("Be brief.")
        for name, value in [("Tokens at most", "12"), ("Temperature", "0.5"), ("Top p", "0.9"), ("Top k", "20"),
                            ("Min p", "0.01"), ("Repeat penalty", "1.1"), ("Seed", "7")]:
            page.get_by_label(name).fill(value)
        page.get_by_role("button", name="Done").click()
        for turn in range(2):
            self.ask(page, "the License")
            self.assertFalse(page.locator("#error").is_visible(), page.locator("#error").inner_text())
            note = page.locator("#messages > li").last.locator(".foot p")
            self.assertRegex(note.inner_text(), r"^(reached its limit; )?\d+ tokens?.*; prompt of \d+ tokens.*; first token after")
        self.assertEqual(page.locator("#messages > li").count(), 4)
        self.ask(page, "the License " * 2000)
        self.assertIn("tokens", page.locator("#error").inner_text())
        self.assertEqual([text for text in self.complaints if "status of 4" not in text], [])
        self.assert_alone()

        self.server.stop()
        self.ask(page, "Are you there?")
        self.assertIn("does not answer", page.locator("#error").inner_text())

    def test_no_other_page_may_hold_it(self):
        page = self.open("about:blank")
        response = page.goto(self.address)
        self.assertEqual((response.headers["x-frame-options"], response.headers["x-content-type-options"]),
                         ("DENY", "nosniff"))


if __name__ == "__main__":
    server_test.ADDEND = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()

#!/usr/bin/env python3
"""The chat page in a real browser, against mock_server.py.

    tests/browser/chat_page_test.py [Class[.test]]
"""
import pathlib
import re
import subprocess
import sys
import threading
import unittest

from browser import BrowserTest
from mock_server import KEY, MockServer

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class ChatPage(BrowserTest):
    def setUp(self):
        self.server = MockServer()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def chat(self, **settings):
        page = self.open(self.server.address, allowed=self.server.address, **settings)
        page.locator("h1", has_text="mock").or_(page.locator("#error:not([hidden])")).wait_for()
        return page

    def send(self, page, text):
        page.get_by_label("Message", exact=True).fill(text)
        page.get_by_role("button", name="Send", exact=True).click()

    def wait_for_end(self, page):
        page.get_by_role("button", name="Send", exact=True).wait_for()

    def ask(self, page, text):
        self.send(page, text)
        self.wait_for_end(page)
        return self.last(page)

    def last(self, page):
        return page.locator("#messages > li").last

    def texts(self, page):
        return page.locator("#messages .text").all_inner_texts()

    def sent(self):
        return self.server.requests[-1]

    def test_send_and_go_on(self):
        page = self.chat()
        self.assertEqual(page.locator("h1").inner_text(), "mock <model>")
        answer = self.ask(page, "hello <b>you</b>")
        self.assertEqual(self.texts(page), ["hello <b>you</b>", "Grüße, world. Answer 1."])
        self.assertRegex(answer.locator(".foot p").inner_text(),
                         r"^6 tokens, [\d.]+ tokens/s; prompt of 20 tokens, 12 of them known; first token after [\d.]+ s$")
        self.assertEqual(self.sent(), {"messages": [{"role": "user", "content": "hello <b>you</b>"}], "stream": True,
                                       "stream_options": {"include_usage": True}})
        page.get_by_label("Message", exact=True).fill("two")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("lines")
        page.keyboard.press("Enter")
        self.wait_for_end(page)
        self.assertEqual([message["content"] for message in self.sent()["messages"]],
                         ["hello <b>you</b>", "Grüße, world. Answer 1.", "two\nlines"])
        self.assertEqual(self.complaints, [])
        self.assert_alone()

    def test_nothing_is_not_sent(self):
        page = self.chat()
        self.send(page, "  \n ")
        self.assertEqual(self.server.requests, [])

    def test_stop(self):
        page = self.chat()
        for stop in (lambda: page.get_by_role("button", name="Stop").click(), lambda: page.keyboard.press("Escape")):
            self.server.stopped.clear()
            self.send(page, "slow")
            self.last(page).get_by_text("word20.").wait_for()
            self.assertEqual(page.locator(".writing").count(), 1)
            stop()
            self.wait_for_end(page)
            self.assertTrue(self.server.stopped.wait(10), "the server goes on writing")
            self.assertIn("was stopped; about", self.last(page).locator(".foot p").inner_text())
        self.assertEqual(self.ask(page, "and now").locator(".text").inner_text(), "Grüße, world. Answer 3.")
        self.assertIn("word20", self.sent()["messages"][1]["content"])

    def test_stop_before_anything_came(self):
        page = self.chat()
        self.send(page, "thinks long")
        page.get_by_role("button", name="Stop").click()
        self.wait_for_end(page)
        self.assertEqual(self.texts(page), ["thinks long"])
        page.get_by_role("button", name="Ask again").click()
        page.locator("#messages").get_by_text("Answer 2").wait_for()
        self.wait_for_end(page)
        self.assertEqual(self.texts(page), ["thinks long", "Grüße, world. Answer 2."])

    def test_regenerate(self):
        page = self.chat()
        self.ask(page, "hello")
        page.get_by_role("button", name="Regenerate").click()
        page.locator("#messages").get_by_text("Answer 2").wait_for()
        self.wait_for_end(page)
        self.assertEqual(self.texts(page), ["hello", "Grüße, world. Answer 2."])
        self.assertEqual(len(self.sent()["messages"]), 1)

    def test_edit(self):
        page = self.chat()
        self.ask(page, "first")
        self.ask(page, "second")
        page.get_by_role("button", name="Edit").first.click()
        area = page.get_by_label("Your message, to be sent again")
        self.assertEqual(area.input_value(), "first")
        page.get_by_role("button", name="Cancel").click()
        self.assertEqual(len(self.texts(page)), 4)
        page.get_by_role("button", name="Edit").first.click()
        area.fill("changed")
        page.get_by_role("button", name="Send again").click()
        page.locator("#messages").get_by_text("Answer 3").wait_for()
        self.wait_for_end(page)
        self.assertEqual(self.texts(page), ["changed", "Grüße, world. Answer 3."])

    def test_settings_survive_a_reload(self):
        page = self.chat()
        page.get_by_role("button", name="Settings").click()
        page.get_by_label("System prompt").fill("Be brief.")
        page.get_by_label("Temperature").fill("0.25")
        page.get_by_label("Top k").fill("40")
        page.get_by_label("Min p").fill("7")  # is not possible, so it is not sent
        page.get_by_role("button", name="Done").click()
        self.assertTrue(page.get_by_label("Min p").is_visible(), "there is something to put right")
        page.keyboard.press("Escape")
        for _ in range(2):
            self.ask(page, "hello")
            self.assertEqual(self.sent()["messages"][0], {"role": "system", "content": "Be brief."})
            self.assertEqual((self.sent()["temperature"], self.sent()["top_k"]), (0.25, 40))
            self.assertNotIn("min_p", self.sent())
            page.reload()
        self.assertEqual(len(self.texts(page)), 4, "the conversation survives too")
        page.get_by_role("button", name="Settings").click()
        self.assertEqual(page.get_by_label("Temperature").input_value(), "0.25")
        page.get_by_role("button", name="Clear all").click()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="New chat").click()
        self.assertEqual(self.texts(page), [])
        self.ask(page, "hello")
        self.assertEqual(sorted(self.sent()), ["messages", "stream", "stream_options"])
        self.assertEqual(len(self.sent()["messages"]), 1)

    def test_errors(self):
        page = self.chat()
        error = page.locator("#error")
        for text, message in [("busy", "The server is busy: 8 others are waiting"), ("too long", "the prompt has 9000"),
                              ("fails", "the model overflowed"), ("cut", "connection broke")]:
            self.ask(page, text)
            self.assertIn(message, error.inner_text())
        self.assertIn("is not complete", self.last(page).locator(".foot p").inner_text())
        self.ask(page, "hello")
        self.assertFalse(error.is_visible())
        self.assertIn("reached its limit", self.ask(page, "long").locator(".foot p").inner_text())

    def test_server_that_goes_away(self):
        page = self.chat()
        page.route("**/v1/chat/completions", lambda route: route.abort("connectionrefused"))
        self.ask(page, "hello")
        self.assertIn("does not answer", page.locator("#error").inner_text())
        self.assertEqual(self.texts(page), ["hello"])
        page.unroute("**/v1/chat/completions")
        page.get_by_role("button", name="Try again").click()
        page.locator("#messages").get_by_text("Answer 1").wait_for()
        self.wait_for_end(page)
        self.assertEqual(self.texts(page), ["hello", "Grüße, world. Answer 1."])

    def test_key(self):
        self.server.wants_key = True
        page = self.chat()
        self.assertIn("asks for a key", page.locator("#error").inner_text())
        key = page.get_by_label("API key of this server")
        self.assertTrue(key.evaluate("node => node === document.activeElement && node.type === 'password'"))
        self.ask(page, "hello")
        key.fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_text("does not know this key").wait_for()
        key.fill(KEY)
        page.keyboard.press("Enter")
        page.locator("#messages").get_by_text("Answer 1").wait_for()
        self.wait_for_end(page)
        self.assertFalse(key.is_visible())
        self.assertNotIn(KEY, page.evaluate("JSON.stringify(localStorage)"))
        page.reload()
        self.assertEqual(self.ask(page, "again").locator(".text").inner_text(), "Grüße, world. Answer 2.")

    def test_markdown(self):
        page = self.chat()
        text = self.ask(page, "markdown").locator(".text")
        count = lambda selector: text.locator(selector).count()
        self.assertEqual([count(tag) for tag in ("h3", "strong", "em", "p code", "blockquote", "pre")], [1, 1, 1, 1, 1, 1])
        self.assertEqual(text.locator("> ol > li").count(), 2)
        self.assertEqual(text.locator("> ol > li > ul > li").all_inner_texts(), ["inner goes on"])
        self.assertEqual(text.locator("> ul > li").count(), 1)
        self.assertEqual(text.locator("pre").inner_text(), 'print("<script>alert(1)</script>")')
        self.assertIn('<img src=x onerror="alert(1)"> [link](https://example.com)', text.inner_text())
        self.assertIn("** not bold ** and ` an open one", text.inner_text())
        self.assertEqual([count(tag) for tag in ("img", "a", "script")], [0, 0, 0])
        self.assertEqual(self.complaints, [])
        self.assert_alone()

    def test_markdown_of_any_kind(self):
        """Hostile texts end, and lose no letter."""
        page = self.chat()
        for text in ["`" * 3000, "**a" * 3000, "*a" * 5000, ">" * 5000, "- " * 3000 + "x", "  - a\n" * 2000, "```", "1. ", "#", "***",
                     "\n".join(" " * i + "- x" for i in range(300)), "a\n\n\n" * 1000, "| a | b |\n|---|---|", "\t- x\n\t\t- y"]:
            shown = page.evaluate("text => element('div', '', ...blocks(text.split('\\n'))).textContent", text)
            self.assertGreaterEqual(len(re.findall("[axyb]", shown)), len(re.findall("[axyb]", text)), text[:20])

    def test_copy(self):
        page = self.chat(permissions=["clipboard-read", "clipboard-write"])
        self.ask(page, "markdown")
        page.get_by_role("button", name="Copy the code").click()
        page.get_by_text("Copied").wait_for()
        self.assertEqual(page.evaluate("navigator.clipboard.readText()"), 'print("<script>alert(1)</script>")')
        page.get_by_text("Copied").wait_for(state="hidden")
        page.get_by_role("button", name="Copy this message").first.click()
        page.get_by_text("Copied").wait_for()
        self.assertEqual(page.evaluate("navigator.clipboard.readText()"), "markdown")

    def test_keyboard_alone(self):
        page = self.chat()
        focused = "document.activeElement.id || document.activeElement.textContent"
        self.assertEqual(page.evaluate(focused), "prompt")
        page.keyboard.type("hello")
        page.keyboard.press("Enter")
        self.wait_for_end(page)
        self.assertEqual(page.evaluate(focused), "prompt")
        order = []
        for _ in range(5):
            page.keyboard.press("Shift+Tab")
            order.append(page.evaluate(focused))
        self.assertEqual(order[:4], ["Regenerate", "Copy", "Edit", "Copy"])
        page.get_by_role("button", name="Settings").focus()
        page.keyboard.press("Enter")
        self.assertEqual(page.evaluate(focused), "system")
        page.keyboard.press("Escape")
        self.assertEqual(page.evaluate(focused), "open-settings")

    def test_what_a_screen_reader_hears(self):
        page = self.chat()
        self.ask(page, "hello")
        spoken = page.locator("#spoken")
        self.assertEqual(spoken.get_attribute("aria-live"), "polite")
        self.assertEqual(spoken.locator("p").all_inner_texts(), ["Grüße, world.", "Answer 1. The answer is complete."])
        self.assert_named(page)
        page.get_by_role("button", name="Settings").click()
        self.assert_named(page)

    def test_every_screen(self):
        for scheme in ("light", "dark"):
            for width, height in ((1280, 800), (390, 740), (320, 480)):
                with self.subTest(f"{scheme} {width}"):
                    page = self.chat(color_scheme=scheme, viewport={"width": width, "height": height})
                    self.ask(page, "markdown")
                    self.ask(page, "busy")
                    self.assert_fits(page)
                    self.assertTrue(page.locator("#prompt").is_visible())
                    self.assert_readable(page, "h1", ".user .text", ".assistant .text", ".foot button", ".foot p", ".role",
                                         "#send", ".code span", "blockquote", "#error-text")

    def test_policy(self):
        """The page runs only what its policy names: what gets into it otherwise is refused."""
        self.assertEqual(subprocess.run([ROOT / "scripts/page_policy.py", "--check"]).returncode, 0)
        page = self.chat()
        page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "window.broken = true";
            document.body.append(script);
            document.body.append(Object.assign(document.createElement("img"), {src: "https://example.com/x.png"}));
            fetch("https://example.com/").catch(() => {});
        }""")
        page.wait_for_timeout(200)
        self.assertFalse(page.evaluate("window.broken === true"))
        self.assertGreaterEqual(len([text for text in self.complaints if "Content Security Policy" in text]), 3)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])

"""Chromium for the tests of pages: found or skipped, and what holds for every page."""
import os
import pathlib
import shutil
import sys
import unittest

SKIPPED = 77  # ctest's word for it
CACHE = pathlib.Path(os.environ.get("ADDEND_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "addend")


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


try:
    from playwright.sync_api import Error as PlaywrightError, sync_playwright
except ImportError:
    python = CACHE / "playwright/bin/python3"
    if not python.exists() or os.environ.get("ADDEND_IN_ENVIRONMENT"):
        skip("no Playwright (scripts/fetch_playwright.sh fetches it)")
    os.environ["ADDEND_IN_ENVIRONMENT"] = "1"
    os.execv(python, [str(python), *sys.argv])

CHROMIUM = shutil.which("chromium") or skip("no Chromium (Debian package chromium)")


def luminance(colour):
    """Of "rgb(1, 2, 3)", as WCAG 2 defines it."""
    def linear(value):
        value /= 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    red, green, blue = (linear(float(part)) for part in colour[colour.index("(") + 1:-1].split(",")[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    bright, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (bright + 0.05) / (dark + 0.05)


class BrowserTest(unittest.TestCase):
    """A browser for each class, a page for each test. Nothing may be asked of another server, and no page may complain."""

    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.addClassCleanup(cls.playwright.stop)
        cls.browser = cls.playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        cls.addClassCleanup(cls.browser.close)

    def open(self, address, allowed="file:", **settings):
        """A page in a context of its own, with everything that it says and asks for written down."""
        context = self.browser.new_context(**settings)
        self.addCleanup(context.close)
        page = context.new_page()
        page.set_default_timeout(30_000)
        self.complaints, self.asked = [], []
        page.on("console", lambda message: self.complaints.append(message.text)
                if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(address)
        self.allowed = allowed
        return page

    def assert_alone(self):
        self.assertEqual([url for url in self.asked if not url.startswith(self.allowed)], [])

    def assert_fits(self, page):
        """Nothing makes the page wider than the screen."""
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0)

    def assert_readable(self, page, *selectors):
        """Text stands out from what is behind it by WCAG's 4.5 : 1."""
        for selector in selectors:
            colours = page.locator(selector).first.evaluate("""node => {
                const style = getComputedStyle(node);
                const ink = node instanceof SVGElement ? style.fill : style.color;
                for (let behind = node; behind; behind = behind.parentElement) {
                    const colour = getComputedStyle(behind).backgroundColor;
                    if (colour !== "rgba(0, 0, 0, 0)") return [ink, colour];
                }
                return [ink, "rgb(255, 255, 255)"];
            }""")
            self.assertGreaterEqual(contrast(*colours), 4.5, f"{selector}: {colours}")

    def assert_named(self, page):
        """Whatever can be used has a name for those who do not see it; headings leave no level out; no id stands twice."""
        problems = page.evaluate("""() => {
            const problems = [];
            for (const node of document.querySelectorAll("button, a, input, textarea, select, summary, [role=region], [tabindex='0']")) {
                const name = node.getAttribute("aria-label") || node.labels?.[0]?.textContent || node.textContent;
                if (!name.trim()) problems.push("no name: " + node.outerHTML.slice(0, 100));
            }
            for (const node of document.querySelectorAll("svg"))
                if (!node.getAttribute("aria-label") && !node.closest("[aria-hidden=true]")) problems.push("svg without a name");
            let level = 0;
            for (const node of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
                const next = Number(node.tagName[1]);
                if (next > level + 1) problems.push(`${node.tagName} after h${level}: ${node.textContent}`);
                level = next;
            }
            const ids = [...document.querySelectorAll("[id]")].map(node => node.id);
            if (new Set(ids).size < ids.length) problems.push("an id stands twice");
            if (!document.documentElement.lang || !document.title) problems.push("no language or title");
            return problems;
        }""")
        self.assertEqual(problems, [])

#!/usr/bin/env python3
"""The chat page runs no script and no style but its own: its Content-Security-Policy names them by their hashes.
Writes the hashes into the page after a change; with --check only says whether they are right (exit code 1 if not).

    scripts/page_policy.py [--check]
"""
import base64
import hashlib
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).resolve().parent.parent / "src/serve/page/index.html"


def with_hashes(page):
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S).group(1)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        page = re.sub(rf"{tag}-src 'sha256-[^']*'", f"{tag}-src 'sha256-{digest}'", page)
    return page


page = PAGE.read_text()
right = with_hashes(page)
if "--check" in sys.argv[1:]:
    if page != right:
        sys.exit(f"{PAGE}: the hashes of its policy are old; run scripts/page_policy.py")
else:
    PAGE.write_text(right)

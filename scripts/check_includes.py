#!/usr/bin/env python3
"""Holds the code to the folder list in CMakeLists.txt: a file in src/X may include only from X and from the folders that X
needs, directly or through one. Prints each include that points elsewhere; exit code 1 if there is any."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parent.parent
needs = {}
for name, rest in re.findall(r"^addend_folder\((\w+)([^)]*)\)", (root / "CMakeLists.txt").read_text(), re.M):
    direct = re.search(r"NEEDS((?: \w+)*?)(?: LIBS|$)", rest)
    needs[name] = set(direct.group(1).split()) if direct else set()


def reachable(folder):
    found = {folder}
    for need in needs[folder]:
        found |= reachable(need)
    return found


bad = 0
for source in sorted((root / "src").glob("*/*")):
    folder = source.parent.name
    if source.suffix not in (".h", ".cpp") or folder not in needs:  # cli/ may include everything
        continue
    allowed = reachable(folder)
    for line_number, line in enumerate(source.read_text().splitlines(), 1):
        match = re.match(r'#include "(\w+)/', line)
        if match and match.group(1) not in allowed:
            print(f"{source.relative_to(root)}:{line_number}: {folder}/ may not include from {match.group(1)}/")
            bad = 1
sys.exit(bad)

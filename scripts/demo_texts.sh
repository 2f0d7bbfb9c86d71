#!/usr/bin/env bash
# Makes English text for the demonstration out of the Free On-line Dictionary of Computing (Debian package dict-foldoc): the
# first nine tenths of its entries for calibration, the last tenth for evaluation. Prints the folder.
set -euo pipefail
cache=${ADDEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/addend}
texts=$cache/demo-texts
if [ ! -s "$texts/evaluation.txt" ]; then
  mkdir -p "$texts"
  work=$(mktemp -d "$cache/texts.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  [ "$(id -u)" -ne 0 ] || chmod 755 "$work"
  (cd "$work" && apt-get -q download dict-foldoc >/dev/null 2>&1) || { echo "cannot fetch the Debian package dict-foldoc" >&2; exit 1; }
  dpkg-deb -x "$work"/dict-foldoc_*.deb "$work/package"
  python3 - "$work/package/usr/share/dictd/foldoc.dict.dz" "$texts" <<'PYTHON'
import gzip, pathlib, re, sys

text = gzip.open(sys.argv[1], "rt", encoding="utf-8", errors="replace").read()
entries = []
for entry in re.split(r"\n(?=\S)", text):  # a headword starts at the margin
    head, _, body = entry.partition("\n")
    body = re.sub(r"[{}]", "", body)                      # marks of cross-references
    body = re.sub(r"\n\s*\([0-9-]+\)\s*$", "", body)      # date of the entry
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", body)]
    prose = [p for p in paragraphs if len(p) > 80]
    if prose:
        entries.append(head.strip() + "\n\n" + "\n\n".join(prose) + "\n\n")
cut = len(entries) * 9 // 10
folder = pathlib.Path(sys.argv[2])
(folder / "calibration-foldoc.txt").write_text("".join(entries[:cut]))
(folder / "evaluation.txt").write_text("".join(entries[cut:]))
PYTHON
fi
echo "$texts"

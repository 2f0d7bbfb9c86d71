#!/usr/bin/env python3
"""What compression costs in quality: compresses a model at some rates and efforts, and measures each file on text that
calibration has not seen.

    bench/quality.py MODEL --data FOLDER --bits 1.0 2.0 --effort fast default --out FOLDER [--addend build/release/addend]
                     [--tokens 32768] [-- further options of `addend compress`]

FOLDER of --data holds calibration-*.txt and wikitext2-raw-test.txt. The last fifth of calibration-c4.txt is kept out of
calibration and is the second text to measure on. What is finished is not done again. Prints one row for each file: bits of
the linear layers by the formula of the format, bits of the file over all weights, minutes and peak memory of the
compression, perplexity by both protocols in windows of 512, mean KL divergence from the original and how often both have
the same most probable token."""
import argparse
import json
import pathlib
import subprocess
import sys
import time

HELD_OUT_SHARE = 0.2


def split_text(data, out):
    """The calibration texts with the end of c4 cut off, and that end."""
    text = (data / "calibration-c4.txt").read_text()
    cut = text.rfind("\n", 0, int(len(text) * (1 - HELD_OUT_SHARE))) + 1
    calibration, held_out = out / "calibration-c4.txt", out / "held-out-c4.txt"
    calibration.write_text(text[:cut])
    held_out.write_text(text[cut:])
    others = sorted(path for path in data.glob("calibration-*.txt") if path.name != "calibration-c4.txt")
    return [calibration, *others], held_out


def run(addend, *arguments):
    result = subprocess.run([addend, *map(str, arguments)], stdout=subprocess.PIPE)
    if result.returncode != 0:
        sys.exit(f"addend {arguments[0]} ended with {result.returncode}")
    return json.loads(result.stdout)


def once(path, make):
    """The JSON in `path`, made first if it is not there."""
    if not path.exists():
        path.write_text(json.dumps(make(), indent=1))
    return json.loads(path.read_text())


def compress(options, calibration, out, bits, effort):
    begin = time.time()
    report = run(options.addend, "compress", options.model, "-o", out, "--bits", bits, "--effort", effort, "--json",
                 "--calibration", *calibration, *options.more)
    return {**report, "minutes": (time.time() - begin) / 60}


def measure(options, file, text, *more):
    return run(options.addend, "eval", file, "--reference", options.model, "-f", text, "-n", options.tokens, "--json",
               "--quiet", *more)


def row(name, report, wiki, c4):
    linears = f"{report['linear_bits_per_weight']:.3f}"
    file = f"{report['file_bits_per_weight']:.3f} | {report['file_bytes'] / 1e6:.1f} MB"
    cost = f"{report['minutes']:.1f} | {report['peak_memory_bytes'] / 1e9:.2f} GB"
    figures = [f"{text['perplexity'][protocol]['perplexity']:.2f}"
               for text in (wiki, c4) for protocol in ("hf", "llama.cpp")]
    divergence = [f"{text['divergence']['hf']['kl']['mean']:.3f} | {100 * text['divergence']['hf']['same_top']['mean']:.1f} %"
                  for text in (wiki, c4)]
    return " | ".join(["", name, linears, file, cost, *figures, *divergence, ""]).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--bits", nargs="+", default=["1.0"])
    parser.add_argument("--effort", nargs="+", default=["fast"])
    parser.add_argument("--tokens", type=int, default=32768)
    parser.add_argument("--addend", default="build/release/addend")
    own, more = sys.argv[1:], []
    if "--" in own:
        own, more = own[:own.index("--")], own[own.index("--") + 1:]
    options = parser.parse_args(own)
    options.more = more
    options.out.mkdir(parents=True, exist_ok=True)
    calibration, held_out = split_text(options.data, options.out)
    print("| file | bits | file bits | size | minutes | memory | wiki hf | wiki llama.cpp | c4 hf | c4 llama.cpp | "
          "wiki KL | same top | c4 KL | same top |\n" + "|---" * 14 + "|")
    for effort in options.effort:
        for bits in options.bits:
            file = options.out / f"{bits}-{effort}.gguf"
            report = once(file.with_suffix(".report.json"),
                          lambda: compress(options, calibration, file, bits, effort))
            wiki = once(file.with_suffix(".wiki.json"),
                        lambda: measure(options, file, options.data / "wikitext2-raw-test.txt"))
            # Pages of one site share their menus: 1 % of the phrases of its end stand in what is before them.
            c4 = once(file.with_suffix(".c4.json"), lambda: measure(options, file, held_out, "--allow-overlap"))
            print(row(f"{bits} {effort}", report, wiki, c4), flush=True)


if __name__ == "__main__":
    main()

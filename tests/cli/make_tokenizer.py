#!/usr/bin/env python3
"""Writes tokenizer.json beside itself: a byte-level BPE of 320 tokens, as many as the models in
tests/golden/tiny_models have. Its merges are the 61 most frequent pairs, learned one by one, of the LICENSE.

    tests/cli/make_tokenizer.py
"""
import collections
import json
import pathlib
import re

TOKENS = 320
SPECIAL = ["<unk>", "<s>", "</s>"]  # ids 0, 1, 2: BOS and EOS as config.json has them
HERE = pathlib.Path(__file__).resolve().parent


def byte_alphabet():
    """GPT-2's printable character for each byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def join(word, pair):
    joined, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            joined.append("".join(pair))
            i += 2
        else:
            joined.append(word[i])
            i += 1
    return tuple(joined)


def learn_merges(text, alphabet, count):
    words = collections.Counter(
        tuple(alphabet[byte] for byte in word.encode()) for word in re.findall(r" ?[a-zA-Z]+", text)
    )
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, times in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = collections.Counter({join(word, best): times for word, times in words.items()})
    return merges


def main():
    alphabet = byte_alphabet()
    text = (HERE.parent.parent / "LICENSE").read_text()
    merges = learn_merges(text, alphabet, TOKENS - len(SPECIAL) - len(alphabet))
    tokens = SPECIAL + sorted(alphabet.values()) + ["".join(pair) for pair in merges]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for i, token in enumerate(SPECIAL)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(pair) for pair in merges],
        },
    }
    assert len(tokenizer["model"]["vocab"]) == TOKENS
    (HERE / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes the small tokenizers beside this file and what Hugging Face `tokenizers` does with them.

    pip install tokenizers==0.23.3 && python3 make.py

Each is trained on a few lines of text, so that a fresh clone tests every part that tokenizer.json files are built from
without fetching anything. To compare more texts than are kept: make.py --texts 5000 --seed 7 --out FOLDER.
"""
import argparse
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers, processors, trainers

CORPUS = [
    "The quick brown fox jumps over the lazy dog. The dog sleeps, the fox doesn't.",
    "In 1984 and 2024 we counted 1,000 foxes; 365 of them were quick.",
    "def jump(fox, dog):\n    return fox.over(dog)  # over and over\n",
    "naïve café, Zürich, Straße: été là-bas. Привет, мир! 你好，世界！ 世界 こんにちは",
    "  spaces   and\t\ttabs\n\n\nand lines \r\n over the end ",
]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TEXTS = [
    "", " ", "   ", "\n", "\r\n\n", "The quick brown fox", " The fox  ", "the DOG'S dog'll don't", "foxes over 12345 dogs",
    "1984,2024.", "x² + ½ = ⅷ ٣", "naïve nai\u0308ve ﬁx Å Å", "e\u0323\u0307 e\u0307\u0323", "Привет, мир! 你好，世界！", "🙂 👩‍👩‍👧 \U0010ffff",
    "\u00a0a\u3000b\u200bc\u180ed\u0085e", "tab\tand\x0bspace", "a▁b ▁c Ġd Ċ", "\0 nul", "'ſ 'S ſ K",
    "<|start|>user\nfox<|end|>", "<|end|><|end|> <|end|>", "no <|star or <|start", "a<mask>b", "a  <mask>  b", "\n<mask>\n<mask> ",
    "word words sword word word. word", "<0x41> <0xFF>", "<s></s><unk>", "The Day day daybreak", "!!??.. ,,", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "dog-dog_dog.dog/dog", "over over\tover\nover\r\nover", "  leading", "trailing  ", "éèê", "\u0301\u0300 x", "。世界、",
]
ADDED = [  # besides <|start|> and <|end|>
    AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False, special=True),
    AddedToken("word", single_word=True, normalized=False),
    AddedToken("Day", normalized=True),
    AddedToken("<|start|", normalized=False),
]


def train(tokenizer, size, alphabet=(), special=()):
    special = [AddedToken(text, special=True, normalized=False) for text in special]
    tokenizer.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=size, initial_alphabet=list(alphabet), special_tokens=special, show_progress=False))


def with_template(tokenizer, single, names):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(name, tokenizer.token_to_id(name)) for name in names])


def byte_level():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    train(t, 400, pre_tokenizers.ByteLevel.alphabet(), ["<|start|>", "<|end|>"])
    t.add_tokens(ADDED)
    with_template(t, "<|start|> $A", ["<|start|>"])
    return t, {"bos_token": "<|start|>", "eos_token": {"content": "<|end|>"}, "chat_template": "{{ messages }}"}


def byte_level_words():
    """ignore_merges, a space in front, the pattern of GPT-2 behind two other splits."""
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Punctuation("merged_with_previous"),
        pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True)])
    t.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.Replace(Regex(r"[\u00AB-\u00BB]|\s{3,}"), " ")])
    t.decoder = decoders.ByteLevel()
    train(t, 380, pre_tokenizers.ByteLevel.alphabet(), ["<|start|>", "<|end|>"])
    t.add_tokens(ADDED)
    return t, {"add_bos_token": True, "add_eos_token": True, "bos_token": "<|start|>", "eos_token": "<|end|>"}


def sentencepiece():
    """Like Llama 2: one word, spaces as ▁, bytes where there is no character."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    train(t, 620, special=["<unk>", "<s>", "</s>", "<|start|>", "<|end|>"] + [f"<0x{b:02X}>" for b in range(256)])
    data = json.loads(t.to_str())
    data["pre_tokenizer"] = None
    data["added_tokens"] = [token for token in data["added_tokens"] if not token["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(data))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_tokens(ADDED)
    with_template(t, "<s> $A </s>", ["<s>", "</s>"])
    return t, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def metaspace():
    """No bytes to fall back to: unknown tokens, one for a row of them."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Strip(left=False, right=True), normalizers.NFKC()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first"),
                                               pre_tokenizers.Split(Regex(r"[\w']+"), "removed", invert=True)])
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    train(t, 300, special=["<unk>", "<|start|>", "<|end|>"])
    t.add_tokens(ADDED)
    return t, {}


def unknown():
    """Unknown tokens one by one; a word ends with its space."""
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(" ", "merged_with_previous"), pre_tokenizers.Split(Regex(r"\d"), "contiguous"),
                                               pre_tokenizers.Punctuation("removed"), pre_tokenizers.WhitespaceSplit()])
    train(t, 200, special=["<unk>", "<|start|>", "<|end|>"])
    t.add_tokens(ADDED)
    return t, {}


def cases(t, texts):
    for text in texts:
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        t.encode_special_tokens = False
        ids = t.encode(text, add_special_tokens=False).ids
        yield {"text": text, "ids": ids, "plain_ids": plain, "whole_ids": t.encode(text).ids, "decoded": t.decode(ids, skip_special_tokens=False),
               "decoded_without_special": t.decode(ids)}


def random_texts(count, seed):
    random.seed(seed)
    pieces = TEXTS + CORPUS + ["<|start|>", "<|end|>", "<mask>", "word", "Day", " ", "\n", "'"]
    cut = lambda s: s[random.randrange(len(s) + 1):][:random.randrange(1, 20)]
    return ["".join(cut(random.choice(pieces)) if random.random() < .7 else random.choice(pieces) for _ in range(random.randrange(1, 7)))
            for _ in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=0, help="random texts instead of the list")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    options = parser.parse_args()
    texts = random_texts(options.texts, options.seed) if options.texts else TEXTS
    for make in (byte_level, byte_level_words, sentencepiece, metaspace, unknown):
        t, config = make()
        golden = {"made_with": f"make.py, tokenizers {__version__}", "tokenizer": json.loads(t.to_str()), "tokenizer_config": config,
                  "cases": list(cases(t, texts))}
        (options.out / f"{make.__name__}.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Makes tests/golden/ggml_blocks.json: blocks of ggml's tensor types and the floats that they stand for.

The expected values come from the Python package `gguf` (numpy, float32), ggml's own second implementation.
All values are hexadecimal digits of little-endian bytes, since the comparison is to the bit.

    pip install gguf numpy && scripts/golden/ggml_blocks.py > tests/golden/ggml_blocks.json
"""
import importlib.metadata
import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize

# Byte offsets of the fp16 scales in a block; random bits there would make infinities.
SCALES = {
    Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0],
    Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208],
}
ENCODED = (Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1)
BLOCKS = 2


def random_blocks(rng, tensor_type):
    _, size = GGML_QUANT_SIZES[tensor_type]
    blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
    for offset in SCALES[tensor_type]:
        scales = rng.normal(0, 0.05, (BLOCKS, 1)).astype("<f2")
        blocks[:, offset : offset + 2] = scales.view(np.uint8)
    return blocks


def decoding(rng, tensor_type):
    blocks = random_blocks(rng, tensor_type)
    floats = dequantize(blocks.reshape(1, -1), tensor_type).astype("<f4")
    return {"bytes": blocks.tobytes().hex(), "floats": floats.tobytes().hex()}


def awkward_floats(rng):
    """Blocks of 32: ordinary; wide in range; ties for Q8_0 and for Q4_0; zeros; too small for an fp16 scale."""
    ordinary = rng.normal(0, 0.05, 32)
    wide = rng.normal(0, 1, 32) * 10.0 ** rng.integers(-6, 4, 32)
    ties_q8 = np.concatenate([[-127.0], np.arange(31) - 15.5])
    ties_q4 = np.concatenate([[-8.0], (np.arange(31) - 15) / 2])
    tiny = rng.normal(0, 1e-12, 32)
    return np.concatenate([ordinary, wide, ties_q8, ties_q4, np.zeros(32), tiny]).astype("<f4")


def encoding(floats, tensor_type):
    stored = quantize(floats.reshape(1, -1), tensor_type)
    return {"floats": floats.tobytes().hex(), "bytes": stored.tobytes().hex()}


def main():
    rng = np.random.default_rng(20240611)
    floats = awkward_floats(rng)
    versions = f"gguf {importlib.metadata.version('gguf')}, numpy {np.__version__}"
    print(json.dumps({
        "source": f"scripts/golden/ggml_blocks.py with {versions}",
        "dequantize": {t.name: decoding(rng, t) for t in SCALES},
        "quantize": {t.name: encoding(floats, t) for t in ENCODED},
    }, indent=1))


if __name__ == "__main__":
    main()

"""Records what Keras makes of ids before an embedding, for package layer.

    python record_ids.py FOLDER     in the environment "keras"

Hashing and StringLookup with several indices for unknown tokens depend on the
hash functions that TensorFlow has behind them; the case "fingerprints" has
those alone, at lengths around each of their branches.
"""

import json
import os
import sys

TEXT = "".join(chr(33 + (i * 37) % 90) for i in range(300))
LENGTHS = [*range(0, 20), 31, 32, 33, 47, 63, 64, 65, 66, 95, 127, 128, 129, 191, 192, 193, 256, 300]
WORDS = ["A", "B", "", "C", "D", "naïve", "a longer token of more than thirty-two bytes", "A"]
NUMBERS = [0, 1, -1, 7, 10**6, 2**40, -(2**62), 7]
STRING = {"max_tokens": None, "num_oov_indices": 1, "mask_token": None, "vocabulary": ["B", "D", "A"]}
INTEGER = {"max_tokens": None, "num_oov_indices": 1, "mask_token": None, "vocabulary": [7, -5, 0]}


def hashing():
    yield {"num_bins": 3}
    yield {"num_bins": 1000003}
    yield {"num_bins": 1000, "salt": 133}
    yield {"num_bins": 1000, "salt": [133, 137]}


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras
    import numpy as np
    import tensorflow as tf

    cases = []

    def record(layer, inputs):
        config = {k: v for k, v in layer.get_config().items() if k != "name"}
        cases.append({"class_name": type(layer).__name__, "config": config, "inputs": inputs,
                      "outputs": np.asarray(layer(tf.constant(inputs))).tolist()})

    for arguments in hashing():
        for inputs, mask in ((WORDS, ""), (NUMBERS, 7)):
            record(keras.layers.Hashing(**arguments), inputs)
            record(keras.layers.Hashing(**arguments, mask_value=mask), inputs)
    for change in ({}, {"mask_token": ""}, {"num_oov_indices": 4}, {"num_oov_indices": 3, "mask_token": ""},
                   {"mask_token": "", "vocabulary": ["", "[UNK]", "C", "A"]}):
        record(keras.layers.StringLookup(**{**STRING, **change}), WORDS)
    for change in ({}, {"mask_token": 1}, {"num_oov_indices": 4}, {"mask_token": 0, "vocabulary": [0, -1, 7, 1]}):
        record(keras.layers.IntegerLookup(**{**INTEGER, **change}), NUMBERS)

    modulus = 2**62 + 1  # the operations give no more than a bucket
    texts = [TEXT[:n] for n in LENGTHS]
    fingerprints = {
        "modulus": str(modulus), "texts": texts, "key": ["1234567890123456789", "987654321"],
        "fast": [str(x) for x in tf.strings.to_hash_bucket_fast(texts, modulus).numpy()],
        "strong": [str(x) for x in tf.strings.to_hash_bucket_strong(texts, modulus, [1234567890123456789, 987654321]).numpy()],
    }
    path = os.path.join(folder, "keras_ids.json")
    with open(path, "w") as f:
        lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
        f.write(f'{{"keras": "{keras.__version__}", "fingerprints": {json.dumps(fingerprints)}, "cases": [\n{lines}\n]}}\n')
    print(f"{path}: {os.path.getsize(path)} bytes")

    words = keras.Input((3,), dtype="string", name="words")
    indices = keras.layers.StringLookup(vocabulary=["a", "b"], name="lookup")(words)
    rows = keras.layers.Embedding(3, 2, name="rows")(indices)
    path = os.path.join(folder, "keras_ids_model.json")
    with open(path, "w") as f:
        f.write(keras.Model(words, keras.layers.Flatten(name="flat")(rows), name="model").to_json() + "\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

"""Records what layers of Keras make of masks, as a golden file.

    python record_masks.py FOLDER     in the environment "keras"

keras_masks.json in FOLDER has of each layer the mask of its output for masks of its
inputs, of shape (2, 3) beside inputs of shape (2, 3, 2), null for none; of
tf_keras, which is Keras 2, and of Keras 3. The two differ: where one of two inputs
has no mask Keras 3 drops that of the other, of two masks it takes what counts in
either, and a layer that supports none passes a mask on, with a warning.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf
import tf_keras

A = [[True, True, False], [True, False, False]]
B = [[True, False, True], [True, True, False]]
IDS = [[4, 0, 3], [0, 0, 1]]


def output(library, name, config, masks):
    layer = getattr(library.layers, name)(**config)
    given = [None if m is None else tf.constant(m) for m in masks]
    inputs = [tf.zeros((2, 3, 2)) for _ in masks]
    try:
        if name == "Embedding":
            m = layer.compute_mask(tf.constant(IDS))
        elif len(masks) == 1:
            m = layer.compute_mask(inputs[0], given[0])
        else:
            m = layer.compute_mask(inputs, given)
    except Exception as e:  # what it says is what is recorded
        return {"error": type(e).__name__}
    return None if m is None else np.asarray(m).reshape(-1).tolist()


def cases():
    for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"):
        yield name, {}, [A, B]
        yield name, {}, [A, None]
    for axis in (1, 2, -1):
        yield "Concatenate", {"axis": axis}, [A, B]
    yield "Concatenate", {"axis": 2}, [A, None]
    yield "Concatenate", {"axis": 1}, [A, None]
    yield "Dot", {"axes": 2}, [A, B]
    for name, config in (("Dense", {"units": 2}), ("Activation", {"activation": "relu"}), ("Dropout", {"rate": 0.5}), ("Flatten", {}), ("Reshape", {"target_shape": [6]}),
                         ("BatchNormalization", {}), ("LayerNormalization", {}), ("GlobalAveragePooling1D", {})):
        yield name, config, [A]
    yield "Embedding", {"input_dim": 5, "output_dim": 2, "mask_zero": True}, [None]
    yield "Embedding", {"input_dim": 5, "output_dim": 2}, [None]


def main(folder):
    path = os.path.join(folder, "keras_masks.json")
    small = lambda x: json.dumps(x, separators=(",", ":"))
    flat = lambda m: None if m is None else np.ravel(m).tolist()
    lines = [small({"class_name": n, "config": c, "masks": [flat(m) for m in masks], "keras2": output(tf_keras, n, c, masks), "keras3": output(keras, n, c, masks)})
             for n, c, masks in cases()]
    with open(path, "w") as f:
        f.write('{"versions":' + small({"keras": keras.__version__, "tf_keras": tf_keras.__version__}) + ',\n"ids":' + small(np.ravel(IDS).tolist()) + ',\n')
        f.write('"cases":[\n' + ",\n".join(lines) + "\n]}\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

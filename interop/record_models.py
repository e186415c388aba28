"""Records how real Keras trains a small model, as a golden file for package model.

    KERAS_BACKEND=torch python record_models.py FILE     in the environment "torch"

The model looks up sequences of ids under a mask and pools them:

    ids (8, 5), 0 is padding -> Embedding(12, 4, mask_zero) -> GlobalAveragePooling1D
        -> Dense(3, tanh) -> Dense(1)        loss: mean squared error

Every optimizer takes ten steps from the same weights on the same batches. Keras
runs on PyTorch, whose embeddings sum the gradients of ids that repeat before
the optimizer sees them; on TensorFlow Keras hands it the pieces.
"""

import json
import os
import sys

assert os.environ.get("KERAS_BACKEND") == "torch", "run it with KERAS_BACKEND=torch"

import keras
import numpy as np

STEPS, BATCH, LENGTH, ROWS, WIDTH, UNITS = 10, 8, 5, 12, 4, 3
O = keras.optimizers
OPTIMIZERS = [
    O.SGD(0.1),
    O.SGD(0.05, momentum=0.9),
    O.SGD(0.05, momentum=0.9, nesterov=True),
    O.Adagrad(0.1),
    O.RMSprop(0.01),
    O.RMSprop(0.01, momentum=0.5, centered=True),
    O.Adam(0.01),
    O.Adam(0.01, amsgrad=True),
    O.Adam(O.schedules.ExponentialDecay(0.02, 3, 0.5)),
    O.Adam(0.01, global_clipnorm=0.1),
    O.AdamW(0.01, weight_decay=0.1),
    O.Adadelta(1.0),
    O.Adamax(0.01),
    O.Nadam(0.01),
    O.Ftrl(0.1, l1_regularization_strength=0.01, l2_regularization_strength=0.01),
    O.Lion(0.005),
]


def plain(a):
    """The shortest decimals that are read back as the same float32."""
    return [float(str(np.float32(x))) for x in np.asarray(a).reshape(-1)]


def build():
    L = keras.layers
    m = keras.Sequential([L.Input((LENGTH,), dtype="int64"), L.Embedding(ROWS, WIDTH, mask_zero=True),
                          L.GlobalAveragePooling1D(), L.Dense(UNITS, activation="tanh"), L.Dense(1)])
    rng = np.random.default_rng(3)
    m.set_weights([rng.normal(0, 0.5, w.shape).round(3).astype(np.float32) for w in m.get_weights()])
    return m


rng = np.random.default_rng(4)
batches = []
for _ in range(STEPS):
    ids = rng.integers(1, ROWS, (BATCH, LENGTH))
    for row, n in zip(ids, rng.integers(1, LENGTH + 1, BATCH)):
        row[n:] = 0  # padding behind n ids
    batches.append((ids, rng.normal(0, 1, (BATCH, 1)).round(2).astype(np.float32)))

first = build()
golden = {
    "keras": keras.__version__,
    "weights": [plain(w) for w in first.get_weights()],
    "batches": [{"ids": ids.reshape(-1).tolist(), "labels": plain(y)} for ids, y in batches],
    "predicted": plain(first.predict(batches[0][0], verbose=0)),
    "runs": [],
}
for optimizer in OPTIMIZERS:
    m = build()
    m.compile(optimizer, "mse")
    losses = [m.train_on_batch(*b) for b in batches]
    config = keras.saving.serialize_keras_object(optimizer)
    golden["runs"].append({"optimizer": {"class_name": config["class_name"], "config": config["config"]},
                           "losses": plain(losses), "weights": [plain(w) for w in m.get_weights()]})
with open(sys.argv[1], "w") as f:
    f.write("{\n")
    f.write(",\n".join(f" {json.dumps(k)}: " + ("[\n  " + ",\n  ".join(json.dumps(x, separators=(",", ":")) for x in v) + "\n ]" if isinstance(v, list) and isinstance(v[0], (list, dict)) else json.dumps(v)) for k, v in golden.items()))
    f.write("\n}\n")

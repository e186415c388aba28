"""Configs of models, between Rowan and the real Keras, in both directions.

    python configs.py DIALECT record FOLDER    writes what this Keras writes: DIALECT-MODEL.json
    python configs.py DIALECT check FOLDER     loads what Rowan has written: rowan-DIALECT-MODEL.json

DIALECT is keras3, tf_keras or keras2, in the environment with that Keras. The
models are the same on both sides; model/json_test.go has Rowan's. There is no
environment with the fourth dialect, that of TensorFlow 1.4: its files were made
by hand from what its source says. Its Keras' successor reads them here, in
keras2, which kept that form.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
dialect, verb, folder = sys.argv[1:]
if dialect == "tf_keras":
    import tf_keras as keras
else:
    import keras

L, R = keras.layers, keras.regularizers


def sequential():
    """A sequence of 10 ids, pooled under its mask."""
    length = {} if dialect == "keras3" else {"input_length": 10}
    m = keras.Sequential([
        L.Embedding(100, 8, mask_zero=True, embeddings_regularizer=R.L2(0.25),
                    embeddings_initializer=keras.initializers.TruncatedNormal(stddev=0.5), **length),
        L.GlobalAveragePooling1D(),
        L.Dense(4, activation="relu", kernel_initializer="he_normal", kernel_constraint="non_neg"),
        L.Dropout(0.5),
        L.Dense(1, use_bias=False, kernel_regularizer=R.L1L2(0.5, 0.125)),
    ])
    m.build((None, 10))
    return m


def functional():
    """Two inputs of ids that share an embedding, and one of numbers."""
    a, b = L.Input((3,), dtype="int64", name="a"), L.Input((3,), dtype="int64", name="b")
    x = L.Input((6,), name="x")
    shared = L.Embedding(50, 2, name="shared")
    ea, eb = L.Flatten(name="flat")(shared(a)), L.Reshape((6,), name="shape")(shared(b))
    both = L.Add(name="sum")([ea, eb])
    score = L.Dense(1, activation="sigmoid", name="score")(L.Concatenate(name="all")([both, x]))
    near = L.Dot(axes=1, normalize=True, name="near")([ea, L.Activation("tanh", name="tanh")(x)])
    return keras.Model([a, b, x], [score, near])


def ranking():
    """Merges and normalizations of two inputs of numbers."""
    a, b = L.Input((6,), name="a"), L.Input((6,), name="b")
    norm = L.BatchNormalization(axis=1, momentum=0.75, epsilon=0.5, center=False, gamma_regularizer=R.L2(0.25), name="norm")(a)
    level = L.LayerNormalization(axis=[1], epsilon=0.25, beta_initializer="ones", name="level")(b)
    x = L.Multiply(name="product")([norm, level])
    x = L.Average(name="mean")([x, L.Subtract(name="difference")([a, b])])
    x = L.Maximum(name="largest")([x, L.Minimum(name="smallest")([a, level])])
    return keras.Model([a, b], L.Dense(1, activation="selu", name="score")(x))


MODELS = {"sequential": (sequential, [(None, 1)], 840), "functional": (functional, [(None, 1), (None, 1)], 113),
          "ranking": (ranking, [(None, 1)], 37)}


def meaning(value):
    """The same penalty has two names."""
    if isinstance(value, dict) and value.get("class_name") in ("L1", "L2"):
        return {**value, "class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.0, **value["config"]}}
    return value


def shapes(m):
    return [tuple(t.shape) for t in m.outputs]


for name, (make, outputs, params) in MODELS.items():
    if verb == "record":
        m = make()
        assert shapes(m) == outputs and m.count_params() == params, (name, shapes(m), m.count_params())
        with open(os.path.join(folder, f"{dialect}-{name}.json"), "w") as f:
            f.write(json.dumps(json.loads(m.to_json()), separators=(",", ":")) + "\n")
        continue
    # TensorFlow 1.4 has not all layers of the last.
    names = [dialect, "tf1"] if dialect == "keras2" and name != "ranking" else [dialect]
    for written in names:
        with open(os.path.join(folder, f"rowan-{written}-{name}.json")) as f:
            text = f.read()
        if written == "tf1" and name == "sequential":  # a list of layers, then; a config of them since
            config = json.loads(text)
            config["config"] = {"name": "sequential", "layers": config["config"]}
            text = json.dumps(config)
        m = keras.models.model_from_json(text)
        got = [tuple(d for d in s) for s in shapes(m)]
        assert got == outputs, (written, name, got)
        assert m.count_params() == params, (written, name, m.count_params())
        ours, theirs = make().get_config(), m.get_config()
        for one, two in zip(ours["layers"], theirs["layers"]):
            if one["class_name"] != two["class_name"]:
                sys.exit(f"{written} {name}: {one['class_name']} has become {two['class_name']}")
            for key, value in one["config"].items():
                loose = key in ("name", "dtype", "batch_input_shape", "batch_shape", "build_config") or written == "tf1" and key.endswith("initializer")
                if not loose and meaning(value) != meaning(two["config"].get(key)):
                    sys.exit(f"{written} {name}: {key} of {one['class_name']} is {value} in Keras, {two['config'].get(key)} from Rowan")
        print(f"{written} {name}: loaded by {dialect}, {len(m.layers)} layers, {params} weights")

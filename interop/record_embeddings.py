"""Records how Keras trains an embedding under regularizers, constraints and LoRA, for package model.

    python record_embeddings.py FOLDER     in the environment "keras"

Each case is an Embedding of four rows, Flatten and a Dense of one unit, trained
by SGD for five steps on batches that have every id, so that rows which a step
leaves out play no part: the losses it reports, and the weights it ends with.
"""

import json
import os
import sys

STEPS, RATE = 5, 0.1


def numbers(array):
    return [float(f"{x:.9g}") for x in array.ravel()]  # as many digits as a float32 needs


def cases(keras):
    r, c = keras.regularizers, keras.constraints
    yield "plain", {}, None
    yield "L1L2", {"embeddings_regularizer": r.L1L2(l1=0.02, l2=0.3)}, None
    yield "L1", {"embeddings_regularizer": r.L1(l1=0.02)}, None
    yield "L2", {"embeddings_regularizer": r.L2(l2=0.3)}, None
    yield "orthogonal rows", {"embeddings_regularizer": r.OrthogonalRegularizer(factor=0.5)}, None
    yield "orthogonal columns", {"embeddings_regularizer": r.OrthogonalRegularizer(factor=0.5, mode="columns")}, None
    for axis in (0, 1):
        yield f"max norm {axis}", {"embeddings_constraint": c.MaxNorm(max_value=0.75, axis=axis)}, None
        yield f"unit norm {axis}", {"embeddings_constraint": c.UnitNorm(axis=axis)}, None
        yield f"min max norm {axis}", {"embeddings_constraint": c.MinMaxNorm(min_value=0.9, max_value=1.5, rate=0.5, axis=axis)}, None
    yield "non neg", {"embeddings_constraint": c.NonNeg()}, None
    yield "lora", {}, {"rank": 2}
    yield "lora alpha", {}, {"rank": 2, "lora_alpha": 3}
    yield "lora regularizer", {"embeddings_regularizer": r.L2(l2=0.3)}, {"rank": 1}


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras
    import numpy as np

    rng = np.random.default_rng(11)
    table, kernel = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(6, 1)).astype(np.float32)
    ids = np.array([[0, 1], [2, 3], [3, 1]], np.int32)
    labels = np.array([[1], [-1], [0.5]], np.float32)

    recorded = []
    for name, arguments, lora in cases(keras):
        embedding = keras.layers.Embedding(4, 3, name="e", **arguments)
        model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding, keras.layers.Flatten(), keras.layers.Dense(1, name="d")])
        embedding.set_weights([table])
        model.layers[-1].set_weights([kernel, np.zeros(1, np.float32)])
        start = []
        if lora:
            embedding.enable_lora(**lora)
            a, b = (rng.normal(size=w.shape).astype(np.float32) for w in (embedding.lora_embeddings_a, embedding.lora_embeddings_b))
            embedding.lora_embeddings_a.assign(a)
            embedding.lora_embeddings_b.assign(b)
            start = [numbers(a), numbers(b)]
        model.compile(optimizer=keras.optimizers.SGD(RATE), loss="mse")
        before = float(model.evaluate(ids, labels, verbose=0))
        losses = [float(model.train_on_batch(ids, labels)) for _ in range(STEPS)]
        config = embedding.get_config()
        case = {"name": name, "regularizer": config["embeddings_regularizer"], "constraint": config["embeddings_constraint"],
                "evaluated": before, "losses": losses, "table": numbers(np.asarray(embedding._embeddings)),
                "kernel": numbers(np.asarray(model.layers[-1].kernel))}
        if lora:
            case |= {"rank": config["lora_rank"], "alpha": config["lora_alpha"], "start": start,
                     "a": numbers(np.asarray(embedding.lora_embeddings_a)), "b": numbers(np.asarray(embedding.lora_embeddings_b)),
                     "merged": numbers(np.asarray(embedding.embeddings))}
        recorded.append(case)
    path = os.path.join(folder, "keras_embeddings.json")
    with open(path, "w") as f:
        lines = ",\n".join(json.dumps(c) for c in recorded)
        f.write(f'{{"keras": "{keras.__version__}", "rate": {RATE}, "table": {numbers(table)}, "kernel": {numbers(kernel)}, '
                f'"ids": {ids.ravel().tolist()}, "labels": {labels.ravel().tolist()}, "cases": [\n{lines}\n]}}\n')
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

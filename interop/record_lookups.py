"""Records what real systems make of bags of ids, as a golden file for package rowan.

    python record_lookups.py tf FILE       in the environment "keras"
    python record_lookups.py torch FILE    in the environment "torch"

A case is a combiner, with weights or without: the pooled rows of each bag, and
the gradient of all rows of the table when each bag's result has the gradient in
"upstream". Bags hold ids that repeat and one bag is empty: of it TensorFlow and
PyTorch make zeros here, and what TensorFlow's reductions make of it (a maximum
of -inf, a mean of NaN) is left out. The gradient of a standard deviation of 0
is NaN in TensorFlow, null in the file.
"""

import json
import os
import sys

import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
ROWS, WIDTH = 8, 3
BAGS = [[1, 4, 4], [], [7], [0, 2, 5, 1], [3, 3]]
rng = np.random.default_rng(7)
TABLE = rng.normal(0, 1, (ROWS, WIDTH)).round(2).astype(np.float32)
WEIGHTS = [rng.uniform(0.25, 2, len(b)).round(2).astype(np.float32) for b in BAGS]
UPSTREAM = rng.normal(0, 1, (len(BAGS), WIDTH)).round(2).astype(np.float32)
IDS = np.concatenate([np.asarray(b, np.int64) for b in BAGS])
FLAT = np.concatenate(WEIGHTS)


def plain(a):
    """The shortest decimals that are read back as the same float32; null is NaN."""
    return [None if np.isnan(x) else float(str(np.float32(x))) for x in np.asarray(a).reshape(-1)]


def tensorflow():
    import tensorflow as tf

    bag = [(i, j) for i, b in enumerate(BAGS) for j in range(len(b))]
    sparse = lambda v: tf.SparseTensor(bag, v, [len(BAGS), max(map(len, BAGS))])

    def case(source, combiner, weighted, f):
        table = tf.Variable(TABLE)
        with tf.GradientTape() as tape:
            out = f(table)
            loss = tf.reduce_sum(out * UPSTREAM)
        grad = tf.convert_to_tensor(tape.gradient(loss, table))
        return {"source": source, "combiner": combiner, "weighted": weighted, "values": plain(out), "gradient": plain(grad)}

    for combiner in ("sum", "mean", "sqrtn"):
        for weighted in (False, True):
            yield case("tf.nn.safe_embedding_lookup_sparse", combiner, weighted, lambda t: tf.nn.safe_embedding_lookup_sparse(
                t, sparse(IDS), sparse(FLAT) if weighted else None, combiner=combiner))
    for combiner in ("max", "min", "prod", "std", "variance", "euclidean_norm", "logsumexp"):
        reduce = getattr(tf.math, "reduce_" + combiner)
        one = lambda t, b: reduce(tf.gather(t, b), 0) if b else tf.zeros(WIDTH)
        yield case("tf.math.reduce_" + combiner, combiner, False, lambda t: tf.stack([one(t, b) for b in BAGS]))


def torch():
    import torch

    offsets = torch.tensor(np.cumsum([0] + [len(b) for b in BAGS[:-1]]))
    for mode in ("sum", "mean", "max"):
        for weighted in (False, True) if mode == "sum" else (False,):
            table = torch.tensor(TABLE, requires_grad=True)
            out = torch.nn.functional.embedding_bag(
                torch.tensor(IDS), table, offsets, mode=mode, per_sample_weights=torch.tensor(FLAT) if weighted else None)
            (out * torch.tensor(UPSTREAM)).sum().backward()
            yield {"source": "torch.nn.functional.embedding_bag", "combiner": mode, "weighted": weighted,
                   "values": plain(out.detach()), "gradient": plain(table.grad)}


system, name = sys.argv[1:]
golden = {"table": plain(TABLE), "bags": BAGS, "weights": [plain(w) for w in WEIGHTS], "upstream": plain(UPSTREAM)}
cases = list({"tf": tensorflow, "torch": torch}[system]())
with open(name, "w") as f:
    f.write("{\n" + "".join(f" {json.dumps(k)}: {json.dumps(v, separators=(',', ':'))},\n" for k, v in golden.items()))
    f.write(' "cases": [\n  ' + ",\n  ".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n ]\n}\n")

"""Records what TensorFlow Recommenders Addons (TFRA) does with value types other than float32.

    python record_tfra_dtypes.py FOLDER     in the environment "tfra"

FOLDER is the root of the repository; testdata/tfra_dtypes.json in it is written.
A case is a type of keys and a type of values; where TFRA refuses the two
together, it has the error of "make" alone. Where a step fails, its result is an
object {"error": kind, "message": text}. Integers of 64 bits and numbers of float64
are written so that they are read back whole. A case is run in a process of its
own, so that a fault ends that case alone: its step says {"error": "fault"}.

TensorFlow rounds a number of Python to float32 before it casts it to float64:
the initializer 1.9, the rate and the powers of Adam's betas. Numbers of "dyadic"
steps are sums of few powers of two, which are the same in both.
"""

import json
import os
import re
import subprocess
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFRA trains with Keras 2
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

PAIRS = [
    *(("int64", v) for v in ("float64", "float16", "bfloat16", "int64", "int32", "int8", "string", "bool", "uint8")),
    *(("int32", v) for v in ("float64", "int32", "int64", "int8")),
    *(("string", v) for v in ("float64", "int64", "int32", "int8", "bool", "string")),
]

KEYS = [7, -5, 2]  # in the table
ROWS = {
    "float": [[1.5, -2.25], [0.1, 1e300], [3.0, 0.5]],
    "half": [[1.5, -2.25], [0.1, 100.0], [3.0, 0.5]],
    "int64": [[2**53 + 1, -(2**63)], [100, -100], [3, 4]],
    "int32": [[2**31 - 1, -(2**31)], [100, -100], [3, 4]],
    "int8": [[127, -128], [100, -100], [3, 4]],
    "uint8": [[255, 0], [100, 1], [3, 4]],
    "bool": [[True, False], [False, False], [True, True]],
    "string": [["a", ""], ["ünï", "b"], ["c", "d"]],
}


def rows_of(value):
    return ROWS["half" if value in ("float16", "bfloat16") else "float" if value.startswith("float") else value]


def record(key, value, tell):
    import numpy as np
    import tensorflow as tf
    import tf_keras
    from tensorflow_recommenders_addons import dynamic_embedding as de

    k, v = getattr(tf, key), getattr(tf, value)
    made = iter(range(1 << 20))
    named = lambda ids: [named(i) for i in ids] if isinstance(ids, list) else str(ids) if key == "string" else ids
    keys = lambda ids: tf.constant(named(ids), k)
    values = lambda x: tf.constant(x, v)
    rows = rows_of(value)

    def plain(x):
        if value in ("float16", "bfloat16") and hasattr(x, "dtype") and x.dtype == v:
            x = tf.cast(x, tf.float32)
        x = x.numpy() if hasattr(x, "numpy") else np.asarray(x)
        flat = [i.decode() if isinstance(i, bytes) else i for i in x.reshape(-1).tolist()]
        return [None if isinstance(i, float) and not np.isfinite(i) else i for i in flat]

    def table(**more):
        return de.get_variable(f"table{next(made)}", key_dtype=k, value_dtype=v, dim=2, devices=["/CPU:0"], **more)

    def filled(**more):
        t = table(**more)
        t.upsert(keys(KEYS), values(rows))
        return t

    def exported(t):
        a, b = (x for x in t.export())
        a, b = [i.decode() if isinstance(i, bytes) else i for i in a.numpy().tolist()], plain(b)
        order = sorted(range(len(a)), key=lambda i: a[i])
        return {"keys": [a[i] for i in order], "values": [b[2 * i + j] for i in order for j in (0, 1)]}

    def attempt(name, f):
        tell({name: {"error": "fault"}})
        try:
            got = f()
        except Exception as e:  # what TFRA says is what is recorded
            text = re.split(r"(?:in user code:.*\w+Error: |\{\{function_node \S+\}\} )", " ".join(str(e).split()))[-1]
            got = {"error": type(e).__name__, "message": text[:160]}
        tell({name: got})
        return got

    one = {"string": "x", "bool": True}.get(value, 1)
    if attempt("make", lambda: bool(table())) is not True:
        return
    attempt("initial 1", lambda: plain(table(initializer=one).lookup(keys([1]))))
    if value not in ("string", "bool"):
        attempt("initial 1.9", lambda: plain(table(initializer=1.9).lookup(keys([1]))))
    attempt("random initial", lambda: str(table(initializer=tf_keras.initializers.RandomNormal(seed=1)).lookup(keys([1])).dtype.name))

    def look():
        got, there = filled().lookup(keys([7, 99, 2, 7]), return_exists=True)
        return {"dtype": got.dtype.name, "values": plain(got), "exists": plain(there)}

    attempt("lookup", look)
    attempt("size", lambda: int(filled().size()))
    attempt("export", lambda: exported(filled()))

    def overwrite():
        t = filled()
        t.upsert(keys([2, 1]), values([rows[0], rows[1]]))
        return exported(t)

    attempt("upsert", overwrite)
    attempt("upsert of float32", lambda: filled().upsert(keys([2]), tf.constant([[1.0, 2.0]], tf.float32)) and None)

    def accumulate():
        # there, and was; new; there, and was not (ignored); away, and was (ignored)
        t = filled()
        t.accum(keys([-5, 1, 2, 9]), values([rows[2], rows[2], rows[2], rows[2]]), values([rows[1], rows[1], rows[1], rows[1]]), tf.constant([True, False, False, True]))
        return exported(t)

    attempt("accumulate", accumulate)
    attempt("remove", lambda: exported([t := filled(), t.remove(keys([7, 99]))][0]))

    def layer(kind=de.keras.layers.Embedding, **more):
        return kind(2, key_dtype=k, value_dtype=v, name=f"layer{next(made)}", devices=["/CPU:0"], **{"initializer": one, **more})

    ids = [[7, 99], [2, 7]]
    attempt("layer, no initializer", lambda: layer(initializer=None)(keys(ids)).dtype.name)

    def call(**more):
        e = layer(**more)
        e.params.upsert(keys(KEYS), values(rows))
        out = e(keys(ids))
        return {"dtype": out.dtype.name, "shape": out.shape.as_list(), "values": plain(out)}

    attempt("layer", call)
    for combiner in ("sum", "mean"):
        attempt(f"squashed {combiner}", lambda: call(kind=de.keras.layers.SquashedEmbedding, combiner=combiner))
        bags = tf.SparseTensor([[0, 0], [0, 1], [1, 0]], keys([7, 2, 2]), [2, 2])

        def pooled():
            out = de.embedding_lookup_sparse(filled(), bags, None, combiner=combiner, name=f"look{next(made)}")
            return {"dtype": out.dtype.name, "values": plain(out)}

        attempt(f"sparse {combiner}", pooled)

    def step(optimizer, steps=1):
        e = layer(with_unique=True)
        e.params.upsert(keys(KEYS), values([[1, 2], [3, 4], [5, 6]]))
        optimizer = de.DynamicEmbeddingOptimizer(optimizer)
        for _ in range(steps):
            with tf.GradientTape() as tape:
                out = e(keys([7, 2, 7, 9]))
                loss = tf.reduce_sum(out * tf.constant([[1, -2], [4, 8], [3, 1], [-1, 2]], out.dtype))
            grad = tape.gradient(loss, e.shadow)
            if grad is None:
                return "no gradient"
            optimizer.apply_gradients([(grad, e.shadow)])
        slots = e.params.get_slot_variables(optimizer)
        return {"after": exported(e.params), "state": {s.name.rsplit("/", 1)[-1]: {"dtype": s.value_dtype.name, **exported(s)} for s in slots}}

    if value not in ("string", "bool"):
        o = tf_keras.optimizers
        attempt("sgd, dyadic", lambda: step(o.SGD(0.125)))
        attempt("adam", lambda: step(o.Adam(0.1)))
        attempt("adam, dyadic, three steps", lambda: step(o.Adam(0.125, beta_1=0.875, beta_2=0.9921875, epsilon=2**-20), 3))


def case(key, value):
    """Runs one pair in a process of its own and gathers what it tells."""
    out = subprocess.run([sys.executable, os.path.abspath(__file__), key, value], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    c = {"key_dtype": key, "value_dtype": value, "keys": KEYS, "rows": [x for r in rows_of(value) for x in r]}
    for line in out.stdout.splitlines():
        if line.startswith('{"'):
            c |= json.loads(line)
    return c


def main(root):
    from importlib.metadata import version

    small = lambda x: json.dumps(x, separators=(",", ":"), ensure_ascii=False)
    path = os.path.join(root, "testdata", "tfra_dtypes.json")
    cases = [case(*p) for p in PAIRS]
    with open(path, "w", encoding="utf-8") as f:
        f.write('{\n"versions":' + small({p: version(p) for p in ("tensorflow-recommenders-addons", "tensorflow", "tf-keras")}) + ",\n")
        f.write('"cases":[\n' + ",\n".join(map(small, cases)) + "\n]}\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        record(*sys.argv[1:], tell=lambda x: print(json.dumps(x), flush=True))
    elif len(sys.argv) == 2:
        main(sys.argv[1])
    else:
        sys.exit(__doc__)

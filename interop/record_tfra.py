"""Records what TensorFlow Recommenders Addons (TFRA) does, as golden files.

    python record_tfra.py FOLDER     in the environment "tfra"

FOLDER is the root of the repository; each function below that is named like a
file writes that file. Tables lie on the CPU, where TFRA keeps them in its cuckoo
hash table. Rows that TFRA exports come in no order: they are sorted by key.

Numbers that are no numbers are null. A case that TFRA gets wrong says so in
"wrong"; what is right is another case of the file, which "right" names, or what
the Go test says beside it.
"""

import base64
import json
import os
import sys
import tempfile
import time

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # TFRA trains with Keras 2
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_recommenders_addons import dynamic_embedding as de

ragged_ops = de.ragged_embedding_ops
layers = de.keras.layers
made = 0


def fresh(prefix):
    """A name that no table has had: TFRA gives the same name the same table."""
    global made
    made += 1
    return f"{prefix}{made}"


def variable(dim, shards=1, rows=None, **more):
    v = de.get_variable(fresh("table"), dim=dim, devices=["/CPU:0"] * shards, initializer=0.0, **more)
    if rows is not None:
        v.upsert(*map(tf.constant, rows))
    return v


def layer(kind, *args, **more):
    return kind(*args, name=fresh("layer"), devices=["/CPU:0"], **more)


def exported(v):
    """The rows of a table in the order of their keys."""
    keys, values = (x.numpy() for x in v.export())
    order = np.argsort(keys)
    return {"keys": keys[order].tolist(), "values": plain(values[order])}


def by_key(shadow, gradient, keys):
    """The gradient of each of keys, zeros for those that were not read."""
    grad, read = tf.convert_to_tensor(gradient).numpy(), shadow.ids.numpy()
    total = {int(k): np.zeros(grad.shape[1], np.float32) for k in keys}
    for k, g in zip(read.tolist(), grad):
        assert k in total or not g.any()
        if k in total:
            total[k] = total[k] + g
    return plain(list(total.values()))


def plain(a):
    """The shortest decimals that are read back as the same float32."""
    return [float(str(np.float32(x))) if np.isfinite(x) else None for x in np.asarray(a).reshape(-1)]


def texts(keys):
    return [k.decode() if isinstance(k, bytes) else k if isinstance(k, str) else int(k) for k in keys]


# What tables do.

ROWS = (np.array([7, 1, 2, 3, -5], np.int64), np.array([[1, 0.5], [2, -1], [3, 4], [-4, 2], [0.25, 5]], np.float32))


def lookups():
    """Sparse and ragged lookups, weighted or not, with and without a default id.

    A bag has an id that the table does not hold, and a negative weight; another
    one holds one id, of weight 0. Rows at the end that are empty are missing from
    what the functions that are not safe give. "read" is the keys that were read,
    and that training would store.
    """
    bags = [[1, 2], [], [-5], [3, 99], [2, 2, 1], []]
    weights = [[1, 2], [], [0], [-1, 3], [0.5, 1, 2], []]
    keys = [*ROWS[0].tolist(), 99]
    upstream = np.random.default_rng(1).normal(0, 1, (len(bags), 2)).round(2).astype(np.float32)
    at = [(i, 2 * j) for i, b in enumerate(bags) for j in range(len(b))]
    sparse = lambda v, dtype: tf.SparseTensor(at, tf.constant([x for b in v for x in b], dtype), [len(bags), 6])
    ragged = lambda v, dtype: tf.ragged.constant(v, dtype=dtype)
    cases = []
    for layout, make, module in (("sparse", sparse, de), ("ragged", ragged, ragged_ops)):
        for combiner in ("sum", "mean", "sqrtn"):
            for weighted in (False, True):
                for function, default in (("embedding_lookup_sparse", None), ("safe_embedding_lookup_sparse", None), ("safe_embedding_lookup_sparse", 2)):
                    shadow = de.shadow_ops.ShadowVariable(variable(2, rows=ROWS), name=fresh("shadow"))
                    more = {"default_id": default} if function[0] == "s" else {}
                    with tf.GradientTape() as tape:
                        out = getattr(module, function)(
                            shadow, make(bags, tf.int64), make(weights, tf.float32) if weighted else None, combiner=combiner, name=fresh("lookup"), **more)
                        loss = tf.reduce_sum(out * upstream[: out.shape[0]])
                    cases.append({"function": function, "layout": layout, "combiner": combiner, "weighted": weighted, "default_id": default,
                                  "values": plain(out), "gradient": by_key(shadow, tape.gradient(loss, shadow), keys), "read": sorted(shadow.ids.numpy().tolist())})
    bounded = de.embedding_lookup_sparse(variable(2, rows=ROWS), sparse(bags, tf.int64), None, combiner="sum", max_norm=2.0, name=fresh("lookup"))
    deep = tf.SparseTensor([[0, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 1]], tf.constant([1, 2, 3, 7], tf.int64), [2, 2, 2])
    deep = {"indices": np.ravel(deep.indices).tolist(), "ids": deep.values.numpy().tolist(), "shape": [2, 2, 2],
            "by_row": plain(de.embedding_lookup_sparse(variable(2, rows=ROWS), deep, None, combiner="sum", name=fresh("lookup"))),
            "by_last": plain(de.safe_embedding_lookup_sparse(variable(2, rows=ROWS), deep, None, combiner="sum", name=fresh("lookup")))}
    return {"keys": keys, "rows": plain(ROWS[1]), "bags": bags, "weights": [plain(w) for w in weights], "upstream": plain(upstream),
            "bounded": plain(bounded), "deep": deep}, cases


def bounded():
    """One step of rows whose norm is bounded by 1: what a read row is, and what is stored.

    The row of key 2 lies inside the bound and is pushed out; key 3 is new; the row
    of key 1 lies outside. Of a row that is cut when it is read TFRA cuts the
    result once more, and what of a gradient points outwards is lost or not by
    whether the norm of the cut row is rounded up or down to 1.
    """
    e = layer(layers.Embedding, 2, initializer=0.5, max_norm=1.0)
    rows = (np.array([1, 2], np.int64), np.array([[3, 4], [0.25, 0.5]], np.float32))
    e.params.upsert(*map(tf.constant, rows))
    ids, upstream = np.array([1, 2, 3, 2], np.int64), np.array([[2, 0], [1, -2], [0.5, 0.25], [1, -1]], np.float32)
    optimizer = de.DynamicEmbeddingOptimizer(tf_keras.optimizers.SGD(0.5))
    with tf.GradientTape() as tape:
        out = e(tf.constant(ids))
        loss = tf.reduce_sum(out * upstream)
    optimizer.apply_gradients([(tape.gradient(loss, e.shadow), e.shadow)])
    yield {"max_norm": 1.0, "initial": 0.5, "rate": 0.5, "before": {"keys": rows[0].tolist(), "values": plain(rows[1])}, "ids": ids.tolist(), "upstream": plain(upstream),
           "values": plain(out), "after": exported(e.params), "wrong": [1]}


def twice():
    """One step of a layer that is called twice, and of one call with all the ids."""
    ids, upstream = [[1, 2, 3], [4, 2, 6]], [[1, 2, 3], [4, 5, 6]]

    def step(calls):
        e = layer(layers.Embedding, 2, initializer=0.5)
        optimizer = de.DynamicEmbeddingOptimizer(tf_keras.optimizers.SGD(0.5))
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_sum(e(tf.constant(i, tf.int64)) * np.array(u, np.float32)[:, None]) for i, u in calls)
        optimizer.apply_gradients([(tape.gradient(loss, e.shadow), e.shadow)])
        return exported(e.params)

    yield {"initial": 0.5, "rate": 0.5, "ids": ids, "upstream": upstream, "after": step([(sum(ids, []), sum(upstream, []))]), "twice": step(zip(ids, upstream)),
           "wrong": "it keeps the ids of the last call only, which then get all gradients"}


def accumulate():
    """Differences and new rows of workers, by whether a row was there when they read."""
    def case(name, keys, old, new, exists, shards=1):
        v = variable(2, shards, rows=(np.array([1, 2], np.int64), np.array([[1, 2], [3, 4]], np.float32)))
        before = exported(v)
        shape = (*np.shape(keys), 2)
        v.accum(tf.constant(keys, tf.int64), tf.constant(old, tf.float32, shape), tf.constant(new, tf.float32, shape), tf.constant(exists))
        return {"name": name, "before": before, "keys": np.ravel(keys).tolist(), "shape": list(np.shape(keys)), "old": plain(old), "new": plain(new),
                "exists": np.ravel(exists).tolist(), "after": exported(v)}

    four = dict(keys=[1, 2, 3, 4], old=[1, 2, 3, 4, 0, 0, 0, 0], new=[1.5, 1, 9, 9, 0.25, 0.5, 7, 8], exists=[True, False, True, False])
    yield case("each case once", **four)
    yield case("each case once, three shards", **four, shards=3)
    yield case("differences of one key", [1, 1, 1], [1, 2] * 3, [2, 2, 1, 5, 0.5, 2], [True] * 3)
    yield case("a key that two workers insert", [7, 7], [0] * 4, [1, 2, 30, 40], [False, False])
    yield case("inserted, then a difference", [7, 7], [0] * 4, [1, 2, 30, 40], [False, True])
    yield case("a difference, then inserted", [7, 7], [0] * 4, [1, 2, 30, 40], [True, False])
    yield case("keys of two dimensions", [[1, 2], [3, 4]], [1, 2, 3, 4, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2, 3, 3], [[True, True], [False, False]])


def restrict():
    """Which keys are left when a table is restricted after some steps of training.

    No scores tie where the line is drawn: which of them TFRA takes then is an
    accident. Steps are 1.1 s apart, since its time is in seconds. "read" is
    looked up between the steps and not trained on.
    """
    recent = [[1, 2, 3], [4, 5, -6], [2, 2], [7], [4, 1], [2**40, 3], [2]]
    often = [[1, 2, 3, 4, 5, -6], [1, 1, 1, 2, 3, 4, 5], [2, 3, 4, 5, 2], [3, 4, 5], [4, 5], [5, 2**40], [3, -9]]
    for policy, steps, shards, calls in (
        ("TimestampRestrictPolicy", recent, 1, [(5, 8), (6, 6), (5, 5), (3, 4), (1, 1), (0, 0)]),
        ("FrequencyRestrictPolicy", often, 1, [(3, 8), (5, 7), (4, 4), (3, 3), (1, 2), (0, 0)]),
        ("FrequencyRestrictPolicy", often, 3, [(5, 5)]),
    ):
        e = layers.Embedding(2, name=fresh("layer"), devices=["/CPU:0"] * shards, initializer=0.5, restrict_policy=getattr(de, policy))
        optimizer = de.DynamicEmbeddingOptimizer(tf_keras.optimizers.Adam(0.1))
        for keys in steps:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(e(tf.constant(keys, tf.int64)))
            optimizer.apply_gradients([(tape.gradient(loss, e.shadow), e.shadow)])
            e(tf.constant([3, 77], tf.int64))
            time.sleep(1.1 if policy[0] == "T" else 0)
        case = {"policy": policy, "shards": shards, "steps": steps, "read": [3, 77], "calls": []}
        if policy[0] == "F":
            case["counts"] = dict(zip(*(x.numpy().ravel().tolist() for x in e.params.restrict_policy.status.export())))
        if shards > 1:
            case["wrong"] = "each shard keeps its part of the rows to keep, rounded down"
        for keep, trigger in calls:
            scores = np.sort(e.params.restrict_policy.status.export()[1].numpy().ravel())[::-1]
            assert keep in (0, len(scores)) or len(scores) <= trigger or scores[keep - 1] > scores[keep], "a tie"
            e.params.restrict(keep, trigger=trigger)
            slots = [exported(s)["keys"] for s in e.params.get_slot_variables(optimizer)]
            case["calls"].append({"keep": keep, "trigger": trigger, "left": exported(e.params)["keys"],
                                  "status": exported(e.params.restrict_policy.status)["keys"], "slots": slots})
        yield case


def restore():
    """A table of three shards in files, and what other numbers of shards make of them."""
    rows = (np.array([-(2**63), -7, 0, 5, 11, 2**31, 2**40 + 1, 2**63 - 1], np.int64), np.arange(-3, 13, dtype=np.float32).reshape(8, 2) / 8)
    v = de.Variable(dim=2, devices=["/CPU:0"] * 3, initializer=0.0, name="restored")
    v.upsert(*map(tf.constant, rows))
    with tempfile.TemporaryDirectory() as folder:
        v.save_to_file_system(folder)
        v.clear()
        files = {}
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as f:
                files[name] = base64.b64encode(f.read()).decode()
        loads = []
        for shards in (1, 2, 3, 5):
            for before in ([], [77, 5]):
                w = de.Variable(dim=2, devices=["/CPU:0"] * shards, initializer=0.0, name="restored")
                w.clear()
                w.upsert(tf.constant(before, tf.int64), tf.fill((len(before), 2), 9.0))
                w.load_from_file_system_with_restore_function(folder)
                loads.append({"shards": shards, "before": before, "sizes": [int(w.size(i)) for i in range(shards)], "after": exported(w)})
    return {"keys": rows[0].tolist(), "rows": plain(rows[1]), "files": files}, loads


# What layers do.


def forward():
    """Ids into rows: shapes, layouts, key types, bounds."""
    extremes = [-(2**63), -1, 0, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1]

    def case(name, ids, dim=2, rows=None, unique=True, training=True, key=tf.int64, **more):
        e = layer(layers.Embedding, dim, key_dtype=key, with_unique=unique, **more)
        if rows is not None:
            e.params.upsert(tf.constant(rows[0], key), tf.constant(rows[1], tf.float32))
        if not training:
            de.enable_inference_mode()
        out = e(ids)
        de.enable_train_mode()
        ragged = isinstance(ids, tf.RaggedTensor)
        c = {"name": name, "key_type": key.name, "unique": unique, "training": training, "initial": plain([more["initializer"]])[0], "max_norm": more.get("max_norm", 0),
             "ids": texts(np.ravel((ids.flat_values if ragged else ids).numpy())), "width": dim,
             "values": plain(out.flat_values if ragged else out), "held": exported(e.params)["keys"] if key != tf.string else texts(sorted(e.params.export()[0].numpy()))}
        if ragged:
            c["lengths"], c["out_lengths"] = ids.row_lengths().numpy().tolist(), out.row_lengths().numpy().tolist()
        else:
            c["shape"], c["out_shape"] = ids.shape.as_list(), out.shape.as_list()
        if rows is not None:
            c["keys"], c["rows"] = texts(rows[0]), plain(rows[1])
        return c

    page = tf.constant([[15, 2], [4, 92], [22, 4]], tf.int64)
    numbers = lambda n: np.arange(1, 2 * n + 1).reshape(n, 2) / 4
    for unique in (True, False):
        yield case("the example of the page", page, 8, initializer=0.5, unique=unique)
        yield case("zeros", page, 8, initializer=0.0, unique=unique)
        yield case("some rows there", page, rows=([4, 15, 7], numbers(3)), initializer=0.25, unique=unique)
        yield case("one dimension", tf.constant([4, 4, 2, 4], tf.int64), rows=([4], numbers(1)), initializer=-1.0, unique=unique)
        yield case("three dimensions", tf.reshape(tf.range(12, dtype=tf.int64) % 5, (2, 3, 2)), rows=([0, 1, 2, 3], numbers(4)), initializer=0.0, unique=unique)
        yield case("no ids", tf.zeros((0, 3), tf.int64), initializer=0.0, unique=unique)
        yield case("ragged", tf.ragged.constant([[3, 1, 3], [], [1, 2]], dtype=tf.int64), rows=([1, 3], numbers(2)), initializer=0.5, unique=unique)
        yield case("extreme ids", tf.constant(extremes + [1], tf.int64), rows=(extremes, numbers(7)), initializer=0.5, unique=unique)
        yield case("strings", tf.constant([["b", ""], ["ünï", "b"]]), rows=(["b", "a", ""], numbers(3)), initializer=0.5, unique=unique, key=tf.string)
        yield case("32 bits", tf.constant([[-1, 2**31 - 1], [5, -1]], tf.int32), rows=([-1, 2**31 - 1], numbers(2)), initializer=0.5, unique=unique, key=tf.int32)
        yield case("bounded, training", tf.constant([1, 2, 1, 9], tf.int64), rows=([1, 2], [[3, 4], [0.3, 0.4]]), initializer=1.0, max_norm=1.0, unique=unique)
    yield case("bounded, inference", tf.constant([1, 2, 1, 9], tf.int64), rows=([1, 2], [[3, 4], [0.3, 0.4]]), initializer=1.0, max_norm=1.0, training=False) | {
        "wrong": "max_norm is left out in inference", "right": "bounded, training"}


LAYER_ROWS = (np.array([1, 2, 3, 4, -8], np.int64), np.array([[1, 2], [3, 0.5], [-1, 2], [0.5, -0.5], [2, 1.5]], np.float32))


def gradient_case(e, ids):
    """The result of ids, and the gradient of LAYER_ROWS for some gradient of it."""
    e.params.upsert(*map(tf.constant, LAYER_ROWS))
    with tf.GradientTape() as tape:
        out = e(ids)
        upstream = np.random.default_rng(2).normal(0, 1, out.shape).round(2).astype(np.float32)
        loss = tf.reduce_sum(out * upstream)
    ragged = isinstance(ids, tf.RaggedTensor)
    c = {"ids": np.ravel((ids.flat_values if ragged else ids).numpy()).tolist(), "upstream": plain(upstream),
         "values": plain(out), "out_shape": out.shape.as_list(), "gradient": by_key(e.shadow, tape.gradient(loss, e.shadow), LAYER_ROWS[0])}
    if ragged:
        return c | {"lengths": ids.row_lengths().numpy().tolist()}
    return c | {"shape": ids.shape.as_list()}


def squashed():
    """Ids of an example reduced to one row; "single" is one example without a batch."""
    flat = tf.constant([[1, 2, 2, 3], [3, 4, 1, -8]], tf.int64)
    for combiner in ("sum", "mean", "max", "min", "prod", "std", "variance", "euclidean_norm", "logsumexp"):
        for name, ids in (("flat", flat), ("deep", tf.reshape(flat, (2, 2, 2))), ("ragged", tf.ragged.constant([[1, 2], [], [3, 3, 4]], dtype=tf.int64))):
            if name == "ragged" and combiner in ("euclidean_norm",):
                continue  # TensorFlow has none for ragged tensors
            c = {"combiner": combiner, "name": name} | gradient_case(layer(layers.SquashedEmbedding, 2, initializer=0.0, combiner=combiner), ids)
            if name == "deep" and combiner in ("std", "variance"):
                c |= {"wrong": f"a {combiner} of {combiner}s, dimension by dimension", "right": "flat"}
            yield c
    yield {"combiner": "mean", "name": "single"} | gradient_case(layer(layers.SquashedEmbedding, 2, initializer=0.0, combiner="mean"), flat[0])


def fieldwise():
    """Ids reduced by their slot, which is the id modulo 3."""
    ids = tf.constant([[1, 2, 4, 2], [3, 4, 1, -8]], tf.int64)
    for combiner in ("sum", "mean", "sqrt_n"):
        make = lambda slots: layer(layers.FieldWiseEmbedding, 2, slots, slot_map_fn=lambda x: tf.math.mod(x, 3), initializer=0.0, combiner=combiner)
        yield {"combiner": combiner, "slots": 3} | gradient_case(make(3), ids)
        yield {"combiner": combiner, "slots": 4} | gradient_case(make(4), ids)
        yield {"combiner": combiner, "slots": 2, "wrong": "slot 2 is the first of the next example, and for the last example nowhere"} | gradient_case(make(2), ids)


# What training does.

KEYS = [-(2**63), -7, 0, 3, 2**31, 2**40 + 1, 2**53 + 1, 5]
STORED = 5  # the first of KEYS, that the table holds from the start
AWAY, GONE, LATE = KEYS[2], range(3, 8), KEYS[-1]  # AWAY is in no batch of steps 4 to 8; LATE comes first in step 6


START = {"rows": [-0.33, -0.09, 0.83, 0.33, -0.82, 0.05, -0.31, 0.07, -0.8, 0.12], "kernel": [0.24, 1.58], "bias": [0.1]}
FIRST = 0.1  # each number of a new row


def batches():
    rng = np.random.default_rng(3)
    for step in range(10):
        there = [k for k in KEYS if not (k == AWAY and step in GONE) and not (k == LATE and step < 5)]
        ids = np.array([there[i] for i in rng.integers(0, len(there), 12)], np.int64).reshape(4, 3)
        ids[3, 2] = ids[3, 1] = ids[0, 0]  # twice in a bag, and in another one
        if step in (0, 8):
            ids[1, 0] = AWAY
        yield ids, rng.normal(0, 1, (4, 1)).round(2).astype(np.float32)


def train(name, make, config, combiner="sum", table_config=None, slots=(), legacy=False, unique=True, bp_v2=(False, False), **more):
    """Ten steps of embedding, sum or mean, a dense unit, and the mean squared error.

    "rows" are those that the table holds after a step, by their keys.
    """
    e = layer(layers.Embedding, 2, initializer=FIRST, with_unique=unique, bp_v2=bp_v2[0])
    e.params.upsert(tf.constant(KEYS[:STORED], tf.int64), tf.constant(START["rows"], tf.float32, (STORED, 2)))
    dense = tf_keras.layers.Dense(1)
    dense.build((None, 2))
    dense.set_weights([np.reshape(START["kernel"], (2, 1)), np.array(START["bias"])])
    optimizer = de.DynamicEmbeddingOptimizer(make(), bp_v2=bp_v2[1])
    case = {"name": name, "config": config, "table_config": table_config or config, "combiner": combiner, "unique": unique, "increments": any(bp_v2), **more, "steps": []}
    for ids, labels in batches():
        with tf.GradientTape() as tape:
            looked = e(tf.constant(ids))
            pooled = getattr(tf, "reduce_" + combiner)(looked, 1)
            loss = tf.reduce_mean((dense(pooled) - labels) ** 2)
        weights = [e.shadow, *dense.trainable_variables]
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        kernel, bias = dense.get_weights()
        case["steps"].append({"loss": plain([loss])[0], "rows": exported(e.params)["values"], "kernel": plain(kernel), "bias": plain(bias)})
    if legacy:  # get_slot_variables refuses the legacy optimizers of tf_keras
        state = {s: optimizer.get_slot(e.shadow, s).params for s in slots}
    else:
        state = {s: v for s in slots for v in e.params.get_slot_variables(optimizer) if v.name.endswith("/" + s)}
    case["state"] = {slots[s]: exported(v)["values"] for s, v in state.items()}
    return case


def training():
    o, legacy = tf_keras.optimizers, tf_keras.optimizers.legacy
    sgd = lambda **c: {"class_name": "SGD", "config": {"learning_rate": 0.05, **c}}
    adagrad = lambda first: {"class_name": "Adagrad", "config": {"learning_rate": 0.2, "initial_accumulator_value": first, "epsilon": 1e-7}}
    adam = {"class_name": "Adam", "config": {"learning_rate": 0.05, "epsilon": 1e-7}}
    rmsprop = {"class_name": "RMSprop", "config": {"learning_rate": 0.02, "rho": 0.9, "epsilon": 1e-7}}
    last = "rows that repeat in a batch are written one after the other, and the last one stays"
    plain_sgd, of_momentum = lambda: o.SGD(0.05), {"momentum": 0.9}
    yield train("sgd", plain_sgd, sgd())
    yield train("sgd of means", plain_sgd, sgd(), "mean")
    yield train("sgd without unique", plain_sgd, sgd(), unique=False, wrong=last, right="sgd")
    yield train("sgd with increments", plain_sgd, sgd(), bp_v2=(True, False))
    yield train("momentum", lambda: o.SGD(0.05, 0.9), sgd(**of_momentum), slots={"m": "momentum"})
    yield train("nesterov", lambda: o.SGD(0.05, 0.9, nesterov=True), sgd(**of_momentum, nesterov=True), "mean", slots={"m": "momentum"})
    yield train("legacy adagrad", lambda: legacy.Adagrad(0.2), adagrad(0.1), slots={"accumulator": "accumulator"}, legacy=True)
    yield train("legacy adagrad of means", lambda: legacy.Adagrad(0.2), adagrad(0.1), "mean", slots={"accumulator": "accumulator"}, legacy=True)
    yield train("legacy adagrad without unique", lambda: legacy.Adagrad(0.2), adagrad(0.1), unique=False, wrong=last, right="legacy adagrad")
    yield train("adagrad", lambda: o.Adagrad(0.2), adagrad(0.1), table_config=adagrad(0.0), slots={"accumulator": "accumulator"})
    yield train("adagrad, increments of rows and state", lambda: o.Adagrad(0.2), adagrad(0.1), bp_v2=(True, True), right="adagrad",
                wrong="rows that are there before their state lose their first update")
    yield train("rmsprop", lambda: o.RMSprop(0.02), rmsprop, slots={"velocity": "velocity"})
    adadelta = {"class_name": "Adadelta", "config": {"learning_rate": 20.0, "rho": 0.9, "epsilon": 1e-6}}
    yield train("adadelta", lambda: o.Adadelta(20.0, rho=0.9, epsilon=1e-6), adadelta, slots={"accumulated_grad": "accumulated_grad", "accumulated_delta_var": "accumulated_delta_var"})
    yield train("adamax", lambda: o.Adamax(0.05), {"class_name": "Adamax", "config": adam["config"]}, slots={"m": "momentum", "u": "norm"})
    yield train("nadam", lambda: o.Nadam(0.05), {"class_name": "Nadam", "config": adam["config"]}, slots={"m": "momentum", "v": "velocity"})
    ftrl = lambda first: {"class_name": "Ftrl", "config": {"learning_rate": 0.2, "initial_accumulator_value": first, "l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02}}
    yield train("ftrl", lambda: o.Ftrl(0.2, l1_regularization_strength=0.01, l2_regularization_strength=0.02), ftrl(0.1), table_config=ftrl(0.0),
                slots={"accumulator": "accumulator", "linear": "linear"})
    yield train("adam", lambda: o.Adam(0.05), adam, slots={"m": "momentum", "v": "velocity"})
    yield train("adam of means", lambda: o.Adam(0.05), adam, "mean", slots={"m": "momentum", "v": "velocity"})
    yield train("adam without unique", lambda: o.Adam(0.05), adam, unique=False, wrong=last, right="adam")
    yield train("legacy adam", lambda: legacy.Adam(0.05), adam, slots={"m": "momentum", "v": "velocity"}, legacy=True)


def write(folder, name, cases, head=None):
    from importlib.metadata import version

    head = {"versions": {p: version(p) for p in ("tensorflow-recommenders-addons", "tensorflow", "tf-keras")}, **(head or {})}
    small = lambda x: json.dumps(x, separators=(",", ":"), ensure_ascii=False)
    path = os.path.join(folder, f"tfra-{name}.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write("{\n" + "".join(f"{small(k)}:{small(v)},\n" for k, v in head.items()))
        f.write('"cases":[\n' + ",\n".join(map(small, cases)) + "\n]}\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


def main(root):
    tables, layer_files, models = (os.path.join(root, *p, "testdata") for p in ((), ("layer",), ("model",)))
    for folder in (tables, layer_files, models):
        os.makedirs(folder, exist_ok=True)
    for name, recorded in (("lookups", lookups), ("restore", restore)):
        head, cases = recorded()
        write(tables, name, cases, head)
    write(tables, "bounded", bounded())
    write(tables, "twice", twice())
    write(tables, "accumulate", accumulate())
    write(tables, "restrict", restrict())
    write(layer_files, "forward", forward())
    rows = {"keys": LAYER_ROWS[0].tolist(), "rows": plain(LAYER_ROWS[1])}
    write(layer_files, "squashed", squashed(), rows)
    write(layer_files, "fieldwise", fieldwise(), rows)
    steps = [{"ids": np.ravel(ids).tolist(), "labels": plain(labels)} for ids, labels in batches()]
    write(models, "training", training(), {"keys": KEYS[:STORED], **START, "initial": FIRST, "batch": [4, 3], "batches": steps})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

"""Records what real optimizers do to a small table, as golden files for package optim.

    python record_optimizers.py keras FOLDER     in the environment "keras"
    python record_optimizers.py torch FOLDER     in the environment "torch"

interop/record.sh runs both. Each file holds the cases of one library. A case is
a table of ROWS rows, and for each step the ids of a batch, some of them twice,
and a gradient for each id. ROW_AWAY is in no batch for four steps in a row. The
file gives the weights after every step and the optimizer's state at the end.

What a case says about rows that a batch leaves out:

    dense   they get a gradient of zero, as in a dense update
    lazy    they stay as they are, weights and state

Gradients of equal ids are summed before the optimizer sees them, in the order
of the batch: Keras 3 with TensorFlow would square and clip the pieces of the
sum. Sparse cases hand the ids to the library as they are, and it sums itself.
"""

import ctypes
import json
import os
import sys

import numpy as np

ROWS = 4
STEPS = 13
ROW_AWAY, AWAY = 2, range(5, 9)  # absent from these steps, counted from 1


def plain(a):
    """The shortest decimals that are read back as the same float32."""
    return [float(str(np.float32(x))) for x in np.asarray(a).reshape(-1)]


def batches(width, seed):
    """Yields ids and a gradient for each id, step by step."""
    rng = np.random.default_rng(seed)
    for step in range(1, STEPS + 1):
        there = [r for r in range(ROWS) if r != ROW_AWAY or step not in AWAY]
        ids = rng.choice(there, size=4)
        if step in (1, AWAY.stop):  # all rows once, and the row that comes back
            ids = np.arange(ROWS)
        ids = np.append(ids, ids[0])  # at least one id twice
        yield ids, rng.normal(0, 0.4, (len(ids), width)).round(3).astype(np.float32)


def first_weights(width, seed):
    return np.random.default_rng(1000 + seed).normal(0, 0.05, (ROWS, width)).round(4).astype(np.float32)


def summed(ids, grads):
    """The dense gradient: pieces of a row are added in the order of the batch."""
    dense = np.zeros((ROWS, grads.shape[1]), np.float32)
    for i, g in zip(ids, grads):
        dense[i] += g
    return dense


def record(name, width, seed, config, lazy, step, state, **more):
    """Runs a case: step(ids, grads) takes one step and returns rate and weights."""
    case = {"name": name, "absent": "lazy" if lazy else "dense", "width": width, "config": config, **more}
    case["weights"] = plain(first_weights(width, seed))
    case["steps"] = []
    for ids, grads in batches(width, seed):
        rate, weights = step(ids, grads)
        case["steps"].append({"ids": ids.tolist(), "grads": plain(grads), "rate": plain([rate])[0], "weights": plain(weights)})
    case["state"] = {slot: plain(values) for slot, values in state().items()}
    return case


# Keras 3: a variable a row, so that clipnorm clips a row.


def keras_case(name, optimizer, width, lazy, seed):
    import keras

    variables = [keras.Variable(row, name=f"row{i}") for i, row in enumerate(first_weights(width, seed))]
    optimizer.build(variables)
    slots = {s: getattr(optimizer, attribute) for s, attribute in keras_slots(optimizer).items()}

    def step(ids, grads):
        dense = summed(ids, grads)
        rate = float(optimizer.learning_rate)
        absent = sorted(set(range(ROWS)) - set(ids.tolist())) if lazy else []
        kept = [(v, v.numpy().copy()) for r in absent for v in [variables[r]] + [s[r] for s in slots.values()]]
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in dense], variables)
        for variable, value in kept:
            variable.assign(value)
        return rate, np.stack([v.numpy() for v in variables])

    def state():
        return {s: np.stack([v.numpy() for v in values]) for s, values in slots.items()}

    config = keras.optimizers.serialize(optimizer)
    config = {"class_name": config["class_name"], "config": config["config"]}
    config["config"].pop("name", None)
    if isinstance(config["config"]["learning_rate"], dict):
        config["config"]["learning_rate"].pop("registered_name", None)
        config["config"]["learning_rate"].pop("module", None)
    return record(name, width, seed, config, lazy, step, state)


def keras_moves_absent_rows(optimizer):
    """Whether the dense and the lazy form differ."""
    if optimizer.weight_decay or optimizer.use_ema:
        return True
    return type(optimizer).__name__ != "Adagrad" and bool(keras_slots(optimizer))


def keras_slots(optimizer):
    has = lambda name: bool(getattr(optimizer, name, False))
    adam = {"momentum": "_momentums", "velocity": "_velocities"}
    slots = {
        "SGD": {"momentum": "momentums"} if has("momentum") else {},
        "Adagrad": {"accumulator": "_accumulators"},
        "RMSprop": {
            "velocity": "_velocities",
            **({"momentum": "_momentums"} if has("momentum") else {}),
            **({"average_gradient": "_average_gradients"} if has("centered") else {}),
        },
        "Adadelta": {"accumulated_grad": "_accumulated_grads", "accumulated_delta_var": "_accumulated_delta_vars"},
        "Adam": {**adam, **({"velocity_hat": "_velocity_hats"} if has("amsgrad") else {})},
        "AdamW": adam,
        "Adamax": {"momentum": "_m", "norm": "_u"},
        "Nadam": adam,
        "Ftrl": {"accumulator": "_accumulators", "linear": "_linears"},
        "Lion": {"momentum": "_momentums"},
    }[type(optimizer).__name__]
    return {**slots, **({"average": "_model_variables_moving_average"} if optimizer.use_ema else {})}


def keras_cases():
    import keras

    o, s = keras.optimizers, keras.optimizers.schedules
    exponential = lambda: s.ExponentialDecay(0.1, 3, 0.8)
    staircase = lambda: s.ExponentialDecay(0.1, 4, 0.5, staircase=True)
    inverse = lambda: s.InverseTimeDecay(0.05, 2, 0.3)
    polynomial = lambda: s.PolynomialDecay(0.1, 10, end_learning_rate=0.0)
    bent = lambda: s.PolynomialDecay(0.1, 20, end_learning_rate=0.01, power=1.5)
    pieces = lambda: s.PiecewiseConstantDecay([3, 7], [0.02, 0.01, 0.004])
    cosine = lambda: s.CosineDecay(0.02, 16, alpha=0.1)
    warm = lambda: s.CosineDecay(0.001, 8, alpha=0.05, warmup_target=0.02, warmup_steps=4)
    cases = [
        ("sgd", lambda: o.SGD(exponential())),
        ("momentum", lambda: o.SGD(staircase(), momentum=0.9)),
        ("nesterov", lambda: o.SGD(inverse(), momentum=0.9, nesterov=True)),
        ("adagrad", lambda: o.Adagrad(polynomial())),
        ("adagrad from zero", lambda: o.Adagrad(bent(), initial_accumulator_value=0.0, epsilon=1e-3)),
        ("rmsprop", lambda: o.RMSprop(pieces())),
        ("adam", lambda: o.Adam(cosine())),
        ("adam warmed up", lambda: o.Adam(warm(), beta_1=0.8, beta_2=0.95, epsilon=1e-3)),
        ("adam constant", lambda: o.Adam(0.01)),
        ("adam with weight decay", lambda: o.Adam(cosine(), weight_decay=0.1)),
        ("adamw", lambda: o.AdamW(exponential())),
        ("clip value", lambda: o.Adagrad(inverse(), clipvalue=0.3)),
        ("clip norm", lambda: o.Adagrad(inverse(), clipnorm=0.9)),
        ("clip global norm", lambda: o.Adam(cosine(), global_clipnorm=1.5)),
    ]
    for seed, (name, make) in enumerate(cases):
        yield keras_case(name, make(), 8 if seed % 2 else 5, True, seed)
        if keras_moves_absent_rows(make()):
            yield keras_case(name, make(), 5 if seed % 2 else 8, False, seed)
    narrow = [
        ("rmsprop centered", lambda: o.RMSprop(exponential(), centered=True)),
        ("rmsprop with momentum", lambda: o.RMSprop(cosine(), momentum=0.8)),
        ("rmsprop with all", lambda: o.RMSprop(pieces(), rho=0.8, momentum=0.5, epsilon=1e-4, centered=True)),
        ("adadelta", lambda: o.Adadelta(inverse())),
        ("adadelta as published", lambda: o.Adadelta(1.0, rho=0.9, epsilon=1e-6)),
        ("amsgrad", lambda: o.Adam(cosine(), beta_2=0.8, amsgrad=True)),
        ("adamax", lambda: o.Adamax(exponential())),
        ("adamax with other betas", lambda: o.Adamax(warm(), beta_1=0.8, beta_2=0.7, epsilon=1e-3)),
        ("nadam", lambda: o.Nadam(cosine())),
        ("nadam with other betas", lambda: o.Nadam(staircase(), beta_1=0.8, beta_2=0.9, epsilon=1e-3)),
        ("ftrl", lambda: o.Ftrl(exponential())),
        ("ftrl with l1 and l2", lambda: o.Ftrl(0.1, l1_regularization_strength=0.3, l2_regularization_strength=0.1, initial_accumulator_value=0.2)),
        ("ftrl with shrinkage", lambda: o.Ftrl(0.1, l1_regularization_strength=0.01, l2_shrinkage_regularization_strength=0.2, beta=0.5)),
        ("ftrl with all", lambda: o.Ftrl(staircase(), learning_rate_power=-0.6, l1_regularization_strength=0.05, l2_regularization_strength=0.02, l2_shrinkage_regularization_strength=0.1, beta=0.2)),
        ("lion", lambda: o.Lion(cosine())),
        ("lion with other betas", lambda: o.Lion(exponential(), beta_1=0.5, beta_2=0.7, weight_decay=0.1)),
        ("sgd with weight decay", lambda: o.SGD(exponential(), weight_decay=0.3)),
        ("momentum with weight decay", lambda: o.SGD(0.1, momentum=0.9, weight_decay=0.3)),
        ("adagrad with weight decay", lambda: o.Adagrad(0.1, weight_decay=0.3)),
        ("amsgrad with weight decay", lambda: o.Adam(0.02, amsgrad=True, weight_decay=0.2)),
        ("ftrl with weight decay", lambda: o.Ftrl(exponential(), weight_decay=0.2)),
        ("average", lambda: o.SGD(inverse(), use_ema=True, ema_momentum=0.9)),
        ("average with overwriting", lambda: o.Adam(0.02, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3)),
        ("average with weight decay", lambda: o.Adagrad(inverse(), weight_decay=0.2, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4)),
    ]
    for seed, (name, make) in enumerate(narrow, 100):
        yield keras_case(name, make(), 3, True, seed)
        if keras_moves_absent_rows(make()):
            yield keras_case(name, make(), 3, False, seed)
    accumulating = [
        ("accumulated sgd", lambda: o.SGD(exponential(), gradient_accumulation_steps=2)),
        ("accumulated adam", lambda: o.Adam(cosine(), weight_decay=0.1, gradient_accumulation_steps=3)),
        ("accumulated and clipped", lambda: o.RMSprop(inverse(), momentum=0.5, clipnorm=0.3, gradient_accumulation_steps=4)),
    ]
    for seed, (name, make) in enumerate(accumulating, 150):
        yield keras_case(name, make(), 3, False, seed)


# tf_keras legacy: truly sparse, with its own summing of equal ids.


def legacy_case(name, optimizer, config, width, seed):
    import tensorflow as tf

    table = tf.Variable(first_weights(width, seed))

    def step(ids, grads):
        rate = float(optimizer._decayed_lr(tf.float32))
        optimizer.apply_gradients([(tf.IndexedSlices(grads, ids, (ROWS, width)), table)])
        return rate, table.numpy()

    def state():
        return {s: optimizer.get_slot(table, s).numpy() for s in optimizer.get_slot_names()}

    return record(name, width, seed, config, True, step, state, library="tf_keras.optimizers.legacy")


def legacy_cases():
    import tf_keras

    o = tf_keras.optimizers.legacy
    decay = lambda: tf_keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.8)
    rate = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.8}}
    sgd = {"learning_rate": rate, "momentum": 0.9}
    yield legacy_case("sparse sgd", o.SGD(decay()), {"class_name": "SGD", "config": {"learning_rate": rate}}, 5, 30)
    yield legacy_case("sparse momentum", o.SGD(decay(), 0.9), {"class_name": "SGD", "config": sgd}, 8, 31)
    yield legacy_case("sparse nesterov", o.SGD(decay(), 0.9, True), {"class_name": "SGD", "config": {**sgd, "nesterov": True}}, 5, 32)


# TensorFlow 1's proximal optimizers, which Keras does not have.


def proximal_case(name, lazy, seed, decay=1.0, first=0.1, l1=0.0, l2=0.0, accumulator=None):
    """Lazy cases go through the optimizer's sparse kernels, dense ones through its dense ones."""
    import tensorflow as tf

    train, width = tf.compat.v1.train, 3
    strengths = {"l1_regularization_strength": l1, "l2_regularization_strength": l2}
    if accumulator is None:
        optimizer = train.ProximalGradientDescentOptimizer(first, **strengths)
    else:
        strengths["initial_accumulator_value"] = accumulator
        optimizer = train.ProximalAdagradOptimizer(first, **strengths)
    table = tf.Variable(first_weights(width, seed))
    taken = [0]

    def step(ids, grads):
        rate = np.float32(first * decay ** taken[0])
        taken[0] += 1
        optimizer._learning_rate = float(rate)
        gradient = tf.IndexedSlices(grads, ids, (ROWS, width)) if lazy else tf.constant(summed(ids, grads))
        optimizer.apply_gradients([(gradient, table)])
        return rate, table.numpy()

    def state():
        return {s: optimizer.get_slot(table, s).numpy() for s in optimizer.get_slot_names()}

    rate = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": first, "decay_steps": 1, "decay_rate": decay}}
    name_of_class = type(optimizer).__name__.removesuffix("Optimizer")
    config = {"class_name": name_of_class, "config": {"learning_rate": rate if decay != 1 else first, **strengths}}
    return record(name, width, seed, config, lazy, step, state, library="tf.compat.v1.train")


def proximal_cases():
    for lazy in (True, False):
        yield proximal_case("proximal sgd", lazy, 60, decay=0.9, l1=0.05, l2=0.3)
        yield proximal_case("proximal sgd of l2", lazy, 61, l2=0.3)
        yield proximal_case("proximal adagrad", lazy, 62, decay=0.9, l1=0.02, l2=0.1, accumulator=0.2)
        yield proximal_case("proximal adagrad of l1", lazy, 63, l1=0.05, accumulator=0.1)


# PyTorch: sparse gradients of an embedding.


def torch_case(name, make, slots, config, width, seed, decay=0.9, **more):
    import torch

    table = torch.nn.Embedding(ROWS, width, sparse=True)
    table.weight.data = torch.tensor(first_weights(width, seed))
    optimizer = make(table.parameters())
    first = optimizer.param_groups[0]["lr"]
    taken = [0]

    def step(ids, grads):
        rate = np.float32(first * decay ** (taken[0]))
        optimizer.param_groups[0]["lr"] = float(rate)
        taken[0] += 1
        optimizer.zero_grad()
        table(torch.tensor(ids)).backward(torch.tensor(grads))
        optimizer.step()
        return rate, table.weight.detach().numpy().copy()

    def state():
        return {s: optimizer.state[table.weight][key].numpy() for s, key in slots.items()}

    rate = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": first, "decay_steps": 1, "decay_rate": decay}}
    config["config"]["learning_rate"] = rate
    return record(name, width, seed, config, True, step, state, library="torch.optim", **more)


def torch_cases():
    import torch

    yield torch_case("torch sgd", lambda p: torch.optim.SGD(p, 0.1), {}, {"class_name": "SGD", "config": {}}, 5, 40)
    yield torch_case(
        "torch adagrad",
        lambda p: torch.optim.Adagrad(p, 0.05, initial_accumulator_value=0.1, eps=1e-10),
        {"accumulator": "sum"},
        {"class_name": "Adagrad", "config": {"initial_accumulator_value": 0.1, "epsilon": 1e-10}},
        8, 41,
    )
    yield torch_case(
        "torch sparse adam",
        lambda p: torch.optim.SparseAdam(list(p), 0.01, eps=1e-7),
        {"momentum": "exp_avg", "velocity": "exp_avg_sq"},
        {"class_name": "Adam", "config": {"epsilon": 1e-7}},
        5, 42,
        step_error=3e-5,  # Keras rounds Adam's corrections to float32, PyTorch does not
    )


# FBGEMM: row-wise Adagrad on the CPU.


def check_fbgemm():
    """Fails where FBGEMM has not recognised the processor: its kernels would be other ones."""
    import fbgemm_gpu

    library = ctypes.CDLL(os.path.join(os.path.dirname(fbgemm_gpu.__file__), "fbgemm.so"))
    instruction_set = library._ZN6fbgemm20fbgemmInstructionSetEv()
    if instruction_set == 0:
        sys.exit("fbgemm::fbgemmInstructionSet() is 0: this pair of torch and fbgemm-gpu-cpu does not work")


def fbgemm_case(name, width, seed, decay=0.9, first=0.05, eps=1e-8):
    import torch
    from fbgemm_gpu.split_embedding_configs import EmbOptimType
    from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
    from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
        ComputeDevice,
        SplitTableBatchedEmbeddingBagsCodegen,
    )

    table = SplitTableBatchedEmbeddingBagsCodegen(
        embedding_specs=[(ROWS, width, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=EmbOptimType.EXACT_ROWWISE_ADAGRAD, learning_rate=first, eps=eps,
        pooling_mode=PoolingMode.SUM,
    )
    weights = table.split_embedding_weights()[0]
    weights.data.copy_(torch.tensor(first_weights(width, seed)))
    taken = [0]

    def step(ids, grads):
        rate = np.float32(first * decay ** (taken[0]))
        taken[0] += 1
        table.set_learning_rate(float(rate))
        out = table(torch.tensor(ids), torch.arange(len(ids) + 1))
        out.backward(torch.tensor(grads))
        return rate, weights.detach().numpy().copy()

    def state():
        return {"accumulator": table.split_optimizer_states()[0][0].numpy()}

    rate = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": first, "decay_steps": 1, "decay_rate": decay}}
    config = {"class_name": "RowWiseAdagrad", "config": {"learning_rate": rate, "epsilon": eps}}
    return record(name, width, seed, config, True, step, state)


def fbgemm_cases():
    check_fbgemm()
    yield fbgemm_case("row-wise adagrad of width 8", 8, 50)
    yield fbgemm_case("row-wise adagrad of width 20", 20, 51)


def write(folder, name, cases, *packages):
    from importlib.metadata import version

    versions = {p: version(p) for p in packages}
    lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    path = os.path.join(folder, name)
    with open(path, "w") as f:
        f.write(f'{{"versions":{json.dumps(versions)},"cases":[\n{lines}\n]}}\n')
    print(f"{path}: {os.path.getsize(path)} bytes")


def main(library, folder):
    if library == "keras":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        write(folder, "keras.json", keras_cases(), "keras", "tensorflow-cpu")
        write(folder, "tf_keras.json", legacy_cases(), "tf-keras", "tensorflow-cpu")
        write(folder, "tensorflow.json", proximal_cases(), "tensorflow-cpu")
    elif library == "torch":
        write(folder, "torch.json", torch_cases(), "torch")
        write(folder, "fbgemm.json", fbgemm_cases(), "fbgemm-gpu-cpu", "torch")
    else:
        sys.exit(f"unknown library {library!r}: keras or torch")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])

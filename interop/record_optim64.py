"""Records what real optimizers do to a small table of float64, for package optim.

    python record_optim64.py FOLDER     in the environments "torch" and "keras"

interop/record.sh runs both: Keras on PyTorch in the one, Keras on TensorFlow and
TensorFlow's own kernels in the other. Batches and names are those of
record_optimizers.py, in float64 and for STEPS steps. Rows that a batch leaves
out get a gradient of zero: all cases are dense.

Keras has learning rates in float32 whatever its variables are, and casts them;
so "rate" is a float32, as its schedule computed it. Hyper-parameters are Python's
floats, and mostly used as such. But each backend rounds some of them to float32
on their way to a float64:

    TensorFlow   what keras.ops.cast is given: a momentum, the betas of powers, a
                 weight decay, what an accumulator starts at, Nadam's 0.96. Adam
                 has one Beta1 in its mean then and another in its correction
    PyTorch      the factor of weight decay, the momentum of averages, the exponent
                 of Ftrl, the bound of clipnorm

Rowan follows neither: it uses them as they are. So they are Keras' own on
PyTorch; on TensorFlow they are rounded to float32 beforehand, where nothing is
lost; and ROUNDED are the cases that a backend rounds all the same.
"""

import json
import os
import sys

import numpy as np

import record_optimizers as r

STEPS = 10
WIDTH = 2
ROUNDED = {
    "tensorflow": ["nadam"],
    "torch": ["adamw", "ftrl with all", "clip norm", "average", "decay and average", "average with overwriting"],
}


def plain(a):
    return [float(x) for x in np.asarray(a, np.float64).reshape(-1)]


def batches(seed):
    """Yields the ids of a batch, its gradients, and their sums as a dense gradient."""
    for ids, grads in list(r.batches(WIDTH, seed))[:STEPS]:
        grads = grads.astype(np.float64).round(3)
        dense = np.zeros((r.ROWS, WIDTH))
        for i, g in zip(ids, grads):
            dense[i] += g
        yield ids, grads, dense


def first_weights(seed):
    return r.first_weights(WIDTH, seed).astype(np.float64).round(4)


def record(name, seed, config, step, state):
    """Runs a case: step(dense gradient) takes one step and returns rate and weights."""
    case = {"name": name, "width": WIDTH, "config": config, "weights": plain(first_weights(seed)), "steps": []}
    for ids, grads, dense in batches(seed):
        rate, weights = step(dense)
        case["steps"].append({"ids": ids.tolist(), "grads": plain(grads), "rate": r.plain([rate])[0], "weights": plain(weights)})
    case["state"] = {slot: plain(values) for slot, values in state().items()}
    return case


def without_names(config):
    """A config without what neither Keras nor Rowan needs to make the same again."""
    if not isinstance(config, dict):
        return config
    left_out = ("name", "module", "registered_name", "build_config")
    return {k: without_names(v) for k, v in config.items() if k not in left_out and v is not None}


def keras_case(name, optimizer, seed):
    import keras

    variables = [keras.Variable(row, dtype="float64", name=f"row{i}") for i, row in enumerate(first_weights(seed))]
    optimizer.build(variables)
    slots = {s: getattr(optimizer, attribute) for s, attribute in r.keras_slots(optimizer).items()}

    def step(dense):
        rate = np.float32(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.convert_to_tensor(g, "float64") for g in dense], variables)
        return rate, stack(variables)

    def stack(rows):
        return np.stack([keras.ops.convert_to_numpy(v) for v in rows])

    def state():
        values = {s: stack(values) for s, values in slots.items()}
        assert all(v.dtype == np.float64 for v in values.values()), name
        return values

    return record(name, seed, without_names(keras.optimizers.serialize(optimizer)), step, state)


def keras_cases():
    import keras

    o, s = keras.optimizers, keras.optimizers.schedules
    h = (lambda x: float(np.float32(x))) if keras.backend.backend() == "tensorflow" else float
    exponential = lambda: s.ExponentialDecay(0.1, 3, 0.8)
    inverse = lambda: s.InverseTimeDecay(0.05, 2, 0.3)
    cosine = lambda: s.CosineDecay(0.02, 16, alpha=0.1)
    pieces = lambda: s.PiecewiseConstantDecay([3, 7], [0.02, 0.01, 0.004])
    betas = {"beta_1": h(0.9), "beta_2": h(0.999)}
    cases = [
        ("sgd", o.SGD(exponential())),
        ("momentum", o.SGD(inverse(), momentum=h(0.9))),
        ("nesterov", o.SGD(inverse(), momentum=h(0.9), nesterov=True)),
        ("adagrad", o.Adagrad(exponential(), initial_accumulator_value=h(0.1))),
        ("rmsprop", o.RMSprop(pieces())),
        ("rmsprop with all", o.RMSprop(pieces(), rho=0.8, momentum=0.5, epsilon=1e-4, centered=True)),
        ("adadelta", o.Adadelta(inverse(), rho=0.9, epsilon=1e-6)),
        ("adam", o.Adam(cosine(), **betas)),
        ("amsgrad", o.Adam(cosine(), beta_1=h(0.9), beta_2=h(0.8), amsgrad=True)),
        ("adamw", o.AdamW(exponential(), weight_decay=h(0.004), **betas)),
        ("adamax", o.Adamax(exponential(), beta_1=h(0.8), beta_2=h(0.7))),
        ("nadam", o.Nadam(cosine(), **betas)),
        ("lion", o.Lion(exponential(), beta_1=h(0.6), beta_2=h(0.7))),
        ("ftrl", o.Ftrl(exponential(), initial_accumulator_value=h(0.1))),
        ("ftrl with all", o.Ftrl(exponential(), learning_rate_power=-0.6, initial_accumulator_value=h(0.1), l1_regularization_strength=0.05, l2_regularization_strength=0.02, l2_shrinkage_regularization_strength=0.1, beta=0.2)),
        ("clip value", o.Adagrad(inverse(), initial_accumulator_value=h(0.1), clipvalue=0.25)),
        ("clip norm", o.Adagrad(inverse(), initial_accumulator_value=h(0.1), clipnorm=0.75)),
        ("average", o.SGD(inverse(), use_ema=True, ema_momentum=0.9)),
        ("decay and average", o.Adagrad(inverse(), initial_accumulator_value=h(0.1), weight_decay=h(0.3), use_ema=True, ema_momentum=0.9)),
        ("average with overwriting", o.Adam(cosine(), weight_decay=h(0.1), use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=3, **betas)),
    ]
    for seed, (name, optimizer) in enumerate(cases, 200):
        if name not in ROUNDED[keras.backend.backend()]:
            yield keras_case(name, optimizer, seed)


# TensorFlow 1's proximal optimizers fail on variables of float64, to which they
# give penalties of float32; the kernels that they call do not.


def proximal_case(name, seed, l1, l2, accumulator=None, first=0.1, decay=0.9):
    import tensorflow as tf

    ops, double = tf.raw_ops, lambda x: tf.constant(x, tf.float64)
    table = tf.Variable(first_weights(seed))
    strengths = {"l1_regularization_strength": l1, "l2_regularization_strength": l2}
    if accumulator is None:
        class_name, slots = "ProximalGradientDescent", {}
    else:
        class_name, slots = "ProximalAdagrad", {"accumulator": tf.Variable(tf.fill(table.shape, double(accumulator)))}
        strengths["initial_accumulator_value"] = accumulator
    taken = [0]

    def step(dense):
        rate = np.float32(first * decay ** taken[0])
        taken[0] += 1
        lr, l1_, l2_, grad = double(float(rate)), double(l1), double(l2), double(dense)
        if slots:
            ops.ResourceApplyProximalAdagrad(var=table.handle, accum=slots["accumulator"].handle, lr=lr, l1=l1_, l2=l2_, grad=grad)
        else:
            ops.ResourceApplyProximalGradientDescent(var=table.handle, alpha=lr, l1=l1_, l2=l2_, delta=grad)
        return rate, table.numpy()

    rate = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": first, "decay_steps": 1, "decay_rate": decay}}
    config = {"class_name": class_name, "config": {"learning_rate": rate, **strengths}}
    return record(name, seed, config, step, lambda: {s: v.numpy() for s, v in slots.items()})


def proximal_cases():
    yield proximal_case("proximal sgd", 230, l1=0.05, l2=0.3)
    yield proximal_case("proximal adagrad", 231, l1=0.02, l2=0.1, accumulator=0.2)


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.makedirs(folder, exist_ok=True)
    if os.environ.get("KERAS_BACKEND") == "torch":
        r.write(folder, "keras-torch.json", keras_cases(), "keras", "torch")
    else:
        r.write(folder, "keras-tensorflow.json", keras_cases(), "keras", "tensorflow-cpu")
        r.write(folder, "tensorflow.json", proximal_cases(), "tensorflow-cpu")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

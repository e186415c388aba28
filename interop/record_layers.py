"""Records what Keras' activations, layers and losses compute, each for a package.

    python record_layers.py FOLDER     that of the repository, in the environment "keras"

Beside values there are gradients: those of activations by their input, times
weights that no symmetry cancels; those of losses by the prediction.
"""

import json
import os
import sys

import numpy as np

rng = np.random.default_rng(7)


def plain(a):
    """The shortest decimals that are read back as the same float32."""
    return [float(str(np.float32(x))) for x in np.asarray(a).reshape(-1)]


def array(a):
    return {"shape": list(a.shape), "values": plain(a)}


def normal(*shape):
    return rng.normal(0, 1, shape).round(3).astype(np.float32)


def config_of(thing):
    """The config without what says nothing about the computation."""
    config = dict(thing.get_config())
    for key in ("dtype", "name", "registered_name", "build_config"):
        config.pop(key, None)
    for key, value in config.items():
        if isinstance(value, dict):
            value.pop("module", None), value.pop("registered_name", None)
            value.get("config", {}).pop("seed", None)
    return config


def activations():
    import keras
    import tensorflow as tf
    from keras.src.activations import ALL_OBJECTS_DICT

    # On both sides of each kink, none on it; and far out, where forms overflow.
    x = np.array([
        [-90.5, -7.3, -3.2, -2.9, -1.1, -0.9],
        [-0.6, -0.4, -0.1, 0.2, 0.45, 0.55],
        [0.8, 1.2, 2.8, 3.3, 5.5, 6.6],
        [0.31, 0.32, 0.1, -0.2, 0.05, 88.0],
    ], np.float32)
    weight = (1 + 0.5 * np.sin(np.arange(x.size))).astype(np.float32).reshape(x.shape)
    recorded = []
    names = sorted(set(ALL_OBJECTS_DICT) - {"threshold"})
    for name in names:
        with tf.GradientTape() as tape:
            v = tf.Variable(x)
            y = keras.activations.get(name)(v)
            loss = tf.reduce_sum(y * weight[:, : y.shape[1]])
        recorded.append({"name": name, "y": plain(y), "gradient": plain(tape.gradient(loss, v))})
    return {"x": array(x), "weight": array(weight), "cases": recorded, "thresholds": thresholds(x, weight)}


def thresholds(x, weight):
    """Of the activation that has arguments; a threshold that is one of the numbers, too."""
    import keras
    import tensorflow as tf

    recorded = []
    for threshold, otherwise in ((0.3, 0.0), (-1.0, 2.5), (float(x[1, 3]), -20.0)):
        with tf.GradientTape() as tape:
            v = tf.Variable(x)
            y = keras.activations.threshold(v, threshold, otherwise)
            loss = tf.reduce_sum(y * weight)
        recorded.append({"threshold": plain(threshold)[0], "default_value": otherwise, "y": plain(y), "gradient": plain(tape.gradient(loss, v))})
    return recorded


def layer_case(name, layer, inputs, mask=None):
    """Runs a layer with weights of its own: inference, a training call, inference again."""
    import keras
    import tensorflow as tf

    single = len(inputs) == 1
    args = inputs[0] if single else list(inputs)
    kwargs = {} if mask is None else {"mask": mask}
    layer(args, **kwargs)  # builds
    weights = [w.numpy() + (rng.uniform(0.1, 0.6, w.shape) if "variance" in w.path else normal(*w.shape) * 0.3) for w in layer.weights]
    weights = [w.round(3).astype(np.float32) for w in weights]
    layer.set_weights(weights)
    case = {"name": name, "class_name": type(layer).__name__, "config": config_of(layer),
            "inputs": [array(x) for x in inputs], "weights": [plain(w) for w in weights],
            "output": array(layer(args, training=False, **kwargs).numpy() if takes_training(layer) else layer(args, **kwargs).numpy())}
    if mask is not None:
        case["mask"] = np.asarray(mask).reshape(-1).tolist()
    if takes_training(layer):
        case["trained"] = array(layer(args, training=True, **kwargs).numpy())
        case["weights_after"] = [plain(w) for w in layer.get_weights()]
    return case


def takes_training(layer):
    return type(layer).__name__ == "BatchNormalization"


def layers():
    from keras import layers as k

    for merge in (k.Add, k.Multiply, k.Average, k.Maximum, k.Minimum):
        yield layer_case("of three", merge(), [normal(2, 3, 2) for _ in range(3)])
        yield layer_case("of other shapes", merge(), [normal(2, 3, 4), normal(2, 1, 4), normal(2, 4)])
    yield layer_case("of two", k.Subtract(), [normal(2, 3), normal(2, 3)])
    yield layer_case("of other shapes", k.Subtract(), [normal(2, 1), normal(2, 3)])
    mask = np.array([[True, True, False], [True, False, False]])
    yield layer_case("features", k.BatchNormalization(), [normal(5, 3)])
    yield layer_case("a sequence", k.BatchNormalization(momentum=0.9, epsilon=0.01), [normal(2, 3, 4)])
    yield layer_case("another axis", k.BatchNormalization(axis=1, momentum=0.5), [normal(4, 2, 3)])
    yield layer_case("no scale", k.BatchNormalization(scale=False), [normal(5, 2)])
    yield layer_case("no center", k.BatchNormalization(center=False), [normal(5, 2)])
    yield layer_case("masked", k.BatchNormalization(momentum=0.8), [normal(2, 3, 2)], mask)
    yield layer_case("features", k.LayerNormalization(), [normal(3, 4)])
    yield layer_case("a sequence", k.LayerNormalization(epsilon=0.1), [normal(2, 3, 4)])
    yield layer_case("two axes", k.LayerNormalization(axis=[1, 2]), [normal(2, 3, 4)])
    yield layer_case("another axis", k.LayerNormalization(axis=1, scale=False), [normal(2, 3, 4)])
    yield layer_case("no center", k.LayerNormalization(center=False), [normal(3, 4)])


def attention():
    """Keras' Attention with a query of one step."""
    from keras import layers as k

    mask = np.array([[True, True, False, False], [True, True, True, True], [False, True, False, True]])
    for m in (None, mask):
        for values in (False, True):
            query, keys, value = normal(3, 5), normal(3, 4, 5), normal(3, 4, 2)
            args = [query[:, None], value if values else keys, keys]
            masks = None if m is None else [None, m, m]
            y = k.Attention()(args, mask=masks).numpy()[:, 0]
            inputs = [query, keys] + ([value] if values else [])
            case = {"inputs": [array(x) for x in inputs], "output": array(y)}
            if m is not None:
                case["mask"] = m.reshape(-1).tolist()
            yield case


def loss_case(loss, truth, prediction, weights=None, **lost):
    """lost are arguments that Keras leaves out of its own config, and comments."""
    import keras
    import tensorflow as tf

    v = tf.Variable(prediction)
    with tf.GradientTape() as tape:
        value = loss(truth, v, sample_weight=weights)
    wrong = lost.pop("wrong", None)
    config = {**config_of(loss), **lost}
    case = {"class_name": type(loss).__name__, "config": config, "truth": array(truth), "prediction": array(prediction),
            "value": float(value), "gradient": plain(tf.convert_to_tensor(tape.gradient(value, v)))}
    if weights is not None:
        case["weights"] = plain(weights)
    if wrong is not None:
        case["wrong"] = wrong
    return case


def losses():
    from keras import losses as k

    real = lambda: (normal(4, 3), normal(4, 3))
    positive = lambda: (np.abs(normal(4, 3)) + 0.1).round(3).astype(np.float32)
    probability = lambda *s: rng.uniform(0.02, 0.98, s).round(3).astype(np.float32)
    binary = lambda *s: rng.integers(0, 2, s).astype(np.float32)

    def simplex(*s):
        p = rng.uniform(0.1, 1, s)
        return (p / p.sum(-1, keepdims=True)).round(4).astype(np.float32)

    weights = np.array([0.5, 2, 0, 1], np.float32)
    for loss in (k.MeanSquaredError(), k.MeanAbsoluteError(), k.Huber(), k.LogCosh(), k.CosineSimilarity()):
        yield loss_case(loss, *real())
    yield loss_case(k.Huber(delta=0.4), *real(), delta=0.4)
    yield loss_case(k.MeanSquaredError(), *real(), weights)
    yield loss_case(k.LogCosh(), np.zeros((1, 3), np.float32), np.array([[-80, 0.01, 80]], np.float32))
    yield loss_case(k.MeanAbsolutePercentageError(), *real())
    yield loss_case(k.MeanAbsolutePercentageError(), np.array([[0.0, 1, -2]], np.float32), np.array([[1e-7, 3, -1]], np.float32))
    yield loss_case(k.MeanSquaredLogarithmicError(), positive(), positive())
    yield loss_case(k.MeanSquaredLogarithmicError(), np.array([[-0.5, 2, 3]], np.float32), np.array([[1.5, -0.7, 2]], np.float32))
    yield loss_case(k.Poisson(), positive(), positive(), weights)
    yield loss_case(k.KLDivergence(), simplex(4, 3), simplex(4, 3))
    yield loss_case(k.KLDivergence(), np.array([[0, 1, 0.0]], np.float32), np.array([[0.2, 0.8, 0]], np.float32))
    for hinge in (k.Hinge(), k.SquaredHinge()):
        yield loss_case(hinge, binary(4, 3), normal(4, 3))
        yield loss_case(hinge, 2 * binary(4, 3) - 1, normal(4, 3), weights)
    yield loss_case(k.CategoricalHinge(), np.eye(3, dtype=np.float32)[[0, 2, 1, 1]], normal(4, 3))
    for smoothing in (0.0, 0.2):
        yield loss_case(k.BinaryCrossentropy(label_smoothing=smoothing), binary(4, 3), probability(4, 3))
        yield loss_case(k.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing), binary(4, 3), 4 * normal(4, 3), weights)
        yield loss_case(k.CategoricalCrossentropy(label_smoothing=smoothing), np.eye(3, dtype=np.float32)[[0, 2, 1, 1]], probability(4, 3))
        yield loss_case(k.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing), simplex(4, 3), 4 * normal(4, 3))
    yield loss_case(k.SparseCategoricalCrossentropy(), np.array([0, 2, 1, 1], np.float32), probability(4, 3))
    yield loss_case(k.SparseCategoricalCrossentropy(from_logits=True), np.array([0, 2, 1, 1], np.float32), 4 * normal(4, 3), weights)
    for gamma in (2.0, 1.5, 0.0):
        yield loss_case(k.BinaryFocalCrossentropy(gamma=gamma), binary(4, 3), probability(4, 3))
    yield loss_case(k.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, label_smoothing=0.1), binary(4, 3), probability(4, 3))
    yield loss_case(k.BinaryFocalCrossentropy(from_logits=True, apply_class_balancing=True), binary(4, 3), 3 * normal(4, 3), weights)
    yield from later_losses()


def loss_names():
    """What keras.losses.get knows, without the two classes that are no loss."""
    from keras.src.losses import ALL_OBJECTS_DICT

    return sorted(set(ALL_OBJECTS_DICT) - {"Loss", "LossFunctionWrapper"})


def later_losses():
    """What came to Keras after the others: focal for classes, overlaps, circle, generalized."""
    import tf_keras
    from keras import losses as k

    simplex = lambda *s: (lambda p: (p / p.sum(-1, keepdims=True)).round(4).astype(np.float32))(rng.uniform(0.1, 1, s))
    probability = lambda *s: rng.uniform(0.02, 0.98, s).round(3).astype(np.float32)
    classes = np.array([0, 2, 1, 1], np.float32)
    hot = np.eye(3, dtype=np.float32)[[0, 2, 1, 1]]
    weights = np.array([0.5, 2, 0, 1], np.float32)

    for library in (k, tf_keras.losses):
        focal = library.CategoricalFocalCrossentropy
        yield loss_case(focal(), hot, simplex(4, 3))
        yield loss_case(focal(alpha=[0.2, 0.5, 1.5], gamma=1.5, label_smoothing=0.1), hot, probability(4, 3), weights)
        yield loss_case(focal(from_logits=True, gamma=0.0), hot, 3 * normal(4, 3))
    yield loss_case(k.CategoricalFocalCrossentropy(), hot[:2], np.array([[1, 0, 0], [0, 1, 0]], np.float32))  # certain, and wrong

    image = lambda: rng.integers(0, 2, (3, 2, 4)).astype(np.float32)
    for axis in (None, -1, [1, 2], [0, 1]):
        yield loss_case(k.Dice(axis=axis), image(), probability(3, 2, 4))
        yield loss_case(k.Tversky(alpha=0.3, beta=0.8, axis=axis), image(), probability(3, 2, 4))
    yield loss_case(k.Dice(), hot, probability(4, 3), weights)  # one number for all examples, times weights
    yield loss_case(k.Tversky(axis=1), hot, probability(4, 3), weights)
    yield loss_case(k.Tversky(), hot, 0 * hot)
    yield loss_case(k.Dice(), 0 * hot, 0 * hot)

    unit = lambda x: (x / np.linalg.norm(x, axis=-1, keepdims=True)).round(3).astype(np.float32)
    groups = np.array([0, 1, 0, 2, 1, 0], np.float32)  # the fourth has nobody of its class
    six = np.array([0.5, 2, 0, 1, 0.25, 3], np.float32)
    yield loss_case(k.Circle(gamma=3.0), groups[:3], unit(normal(3, 4)))
    yield loss_case(k.Circle(), groups, unit(normal(6, 4)))
    yield loss_case(k.Circle(gamma=10, margin=0.25), groups, unit(normal(6, 4)), six)
    yield loss_case(k.Circle(gamma=10, remove_diagonal=False), groups.reshape(6, 1), 0.9 * unit(normal(6, 4)), six)
    yield loss_case(k.Circle(gamma=2, margin=0), groups, np.eye(3, dtype=np.float32)[[0, 1, 0, 1, 2, 1]])  # apart by 0 and 1
    yield loss_case(k.Circle(), np.ones(3, np.float32), unit(normal(3, 4)))  # nobody of another class

    generalized = k.CategoricalGeneralizedCrossEntropy
    for q in (0.5, 0.1, 0.9):
        yield loss_case(generalized(q=q), classes, simplex(4, 3))
    yield loss_case(generalized(q=0.7), classes, probability(4, 3), weights)
    yield loss_case(generalized(), classes.reshape(4, 1), simplex(4, 3),
                    wrong="class numbers of shape (batch, 1) are paired with the predictions of every example")


def lines(cases):
    return "[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]"


def write(folder, package, **parts):
    import keras

    path = os.path.join(folder, package, "testdata", "keras.json")
    with open(path, "w") as f:
        f.write(f'{{"keras":"{keras.__version__}"' + "".join(f',\n"{name}":{text}' for name, text in parts.items()) + "}\n")
    print(f"{path}: {os.path.getsize(path)} bytes")


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    acts = activations()
    write(folder, "activation", activations=f'{{"x":{json.dumps(acts["x"])},"weight":{json.dumps(acts["weight"])},"cases":{lines(acts["cases"])},"thresholds":{lines(acts["thresholds"])}}}')
    write(folder, "layer", layers=lines(layers()), attention=lines(attention()))
    write(folder, "loss", names=json.dumps(loss_names()), losses=lines(losses()))  # the random numbers go on from those of layers


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

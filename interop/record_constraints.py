"""Records what Keras' constraints make of some arrays, for package constraint.

    python record_constraints.py FOLDER     in the environment "keras"

keras.json is of float32, keras64.json of the same arrays in float64, with all
of its digits. RadialConstraint is tf_keras', since Keras 3 has none; of odd kernels it is not
recorded, since tf_keras takes each value from the wrong radius there.
"""

import json
import os
import sys


def weights(np, dtype):
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(5, 3))
    matrix[3] = 0  # a norm of zero
    return matrix.astype(dtype), rng.normal(size=(2, 3, 2, 2)).astype(dtype)


def cases(constraints, matrix, kernel):
    c = constraints
    for axis in (0, 1, -1):
        yield c.MaxNorm(max_value=1.25, axis=axis), matrix
        yield c.UnitNorm(axis=axis), matrix
        yield c.MinMaxNorm(min_value=0.75, max_value=1.5, rate=1.0, axis=axis), matrix
        yield c.MinMaxNorm(min_value=0.75, max_value=1.5, rate=0.25, axis=axis), matrix
    for axis in (0, 1, 2, -1):
        yield c.MaxNorm(max_value=1.25, axis=axis), kernel
        yield c.UnitNorm(axis=axis), kernel
    yield c.NonNeg(), matrix
    for name in ("max_norm", "min_max_norm", "non_neg", "unit_norm"):
        yield c.get(name), matrix


def numbers(array):
    if array.dtype == "float64":
        return [float(x) for x in array.ravel()]
    return [float(f"{x:.9g}") for x in array.ravel()]  # as many digits as a float32 needs


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import numpy as np

    record(np.float32, os.path.join(folder, "keras.json"))
    record(np.float64, os.path.join(folder, "keras64.json"))


def record(dtype, path):
    import keras
    import numpy as np
    import tensorflow as tf
    import tf_keras

    matrix, kernel = weights(np, dtype)
    recorded = []
    for constraint, w in cases(keras.constraints, matrix, kernel):
        config = keras.constraints.serialize(constraint)
        recorded.append((config["class_name"], config["config"], w, np.asarray(constraint(w))))
    for n in (2, 4, 6):
        w = np.random.default_rng(n).normal(size=(n, n, 2, 1)).astype(dtype)
        recorded.append(("RadialConstraint", {}, w, np.asarray(tf_keras.constraints.RadialConstraint()(tf.constant(w)))))
    with open(path, "w") as f:
        lines = ",\n".join(json.dumps({
            "class_name": name, "config": config, "shape": list(w.shape),
            "weights": numbers(w), "want": numbers(want),
        }) for name, config, w, want in recorded)
        f.write(f'{{"keras": "{keras.__version__}", "tf_keras": "{tf_keras.__version__}", "cases": [\n{lines}\n]}}\n')
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

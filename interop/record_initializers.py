"""Records how Keras' initializers distribute a million values, for package initializer.

    python record_initializers.py FOLDER     in the environment "keras"

The values themselves are no model for Rowan, whose random bits are its own:
mean, standard deviation, least and greatest value are.
"""

import json
import os
import sys

SHAPE = (2000, 500)  # fan_in, fan_out


def cases(initializers):
    i = initializers
    yield i.RandomUniform(seed=1)
    yield i.RandomNormal(seed=1)
    yield i.TruncatedNormal(seed=1)
    for family in (i.GlorotUniform, i.GlorotNormal, i.HeUniform, i.HeNormal, i.LecunUniform, i.LecunNormal):
        yield family(seed=1)
    for mode in ("fan_in", "fan_out", "fan_avg"):
        for distribution in ("truncated_normal", "untruncated_normal", "uniform"):
            yield i.VarianceScaling(scale=1.5, mode=mode, distribution=distribution, seed=1)


def main(folder):
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras
    import numpy as np

    recorded = []
    for initializer in cases(keras.initializers):
        values = np.asarray(initializer(SHAPE), np.float64)
        config = keras.initializers.serialize(initializer)
        recorded.append({
            "class_name": config["class_name"],
            "config": {k: v for k, v in config["config"].items() if k != "seed"},
            "mean": values.mean(), "stddev": values.std(), "min": values.min(), "max": values.max(),
        })
    path = os.path.join(folder, "keras.json")
    with open(path, "w") as f:
        lines = ",\n".join(json.dumps(c) for c in recorded)
        f.write(f'{{"keras": "{keras.__version__}", "fan_in": {SHAPE[0]}, "fan_out": {SHAPE[1]}, "cases": [\n{lines}\n]}}\n')
    print(f"{path}: {os.path.getsize(path)} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

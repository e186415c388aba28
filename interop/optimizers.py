"""Lets the real Keras load the optimizers that Rowan has written.

    python optimizers.py FOLDER     in the environment "keras"

The file is rowan-optimizers.json of optim/testdata/configs. Every argument that Rowan
wrote must be what the optimizer says that it has.
"""

import json
import math
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras


def same(ours, theirs):
    if isinstance(ours, dict):
        return all(same(v, theirs[k]) for k, v in ours.items())
    if isinstance(ours, float):
        return math.isclose(ours, theirs, rel_tol=1e-6)  # a rate is a float32 in Keras
    return ours == theirs


with open(os.path.join(sys.argv[1], "rowan-optimizers.json")) as f:
    configs = json.load(f)
for config in configs:
    loaded = keras.optimizers.serialize(keras.optimizers.deserialize(json.loads(json.dumps(config))))
    if loaded["class_name"] != config["class_name"]:
        sys.exit(f"{config['class_name']} has become {loaded['class_name']}")
    for key, value in config["config"].items():
        if not same(value, loaded["config"][key]):
            sys.exit(f"{config['class_name']}: {key} is {value} in the file and {loaded['config'][key]} in Keras")
print(f"keras {keras.__version__}: {len(configs)} optimizers loaded")

"""TensorFlow Recommenders Addons: its cuckoo hash table on the CPU."""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import common
import tensorflow as tf


def table(args):
    # Imported after TensorFlow's threads are set: importing it runs operations.
    from tensorflow_recommenders_addons import dynamic_embedding

    return dynamic_embedding.get_variable(
        "bench", key_dtype=tf.int64, value_dtype=tf.float32, dim=args.dim, devices=["/CPU:0"], initializer=0.0,
    )


def main():
    args = common.arguments()
    if args.work != "dynamic":
        raise SystemExit("tfra: only --work dynamic")
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    os.environ["TFRA_NUM_WORKER_THREADS_FOR_LOOKUP_TABLE_INSERT"] = str(args.threads)

    inputs = {name: [tf.constant(batch) for batch in ids] for name, ids in common.batches(args)}
    values = tf.constant(common.pattern(args.batch * args.bag, args.dim))
    found = None
    var = table(args)
    before = common.memory("Rss")

    def find(keys):
        nonlocal found
        found = var.lookup(keys)

    def upsert(keys):
        var.upsert(keys, values)

    rate = common.once(upsert, inputs["insert"])
    size = int(var.size())
    bytes_a_row = (common.memory("Rss") - before) / max(size, 1)
    common.report("insert", "uniform", rate, size, f"{bytes_a_row:.0f} bytes a row")
    rate = common.once(find, inputs["find"])
    common.report("find", "uniform", rate, tf.reduce_sum(tf.cast(found, tf.float64)).numpy(), common.huge_pages())
    rate = common.once(upsert, inputs["find"])
    common.report("upsert", "uniform", rate, int(var.size()), common.huge_pages())


if __name__ == "__main__":
    main()

"""What every Python contender shares: its command line, its ids, the values its
table starts with, the clock, and the lines it prints (bench/README.md)."""

import argparse
import json
import time

import numpy as np


def arguments():
    """Reads the command line that all contenders understand."""
    p = argparse.ArgumentParser()
    p.add_argument("--work", required=True, choices=["gather", "train", "dynamic"])
    p.add_argument("--rows", type=int, required=True)
    p.add_argument("--dim", type=int, default=64)
    p.add_argument("--bag", type=int, default=20)
    p.add_argument("--batch", type=int, default=2048)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--seconds", type=float, default=1)
    p.add_argument("--ids", action="append", required=True, metavar="NAME=FILE")
    return p.parse_args()


def batches(args):
    """Yields each input's name and its ids, one batch a row."""
    size = args.batch * args.bag
    for spec in args.ids:
        name, file = spec.split("=", 1)
        ids = np.fromfile(file, dtype="<i8")
        yield name, ids[: len(ids) // size * size].reshape(-1, size)


def pattern(rows, dim, start=0):
    """Values that every contender's table starts with: multiples of 1/1024, so
    that sums of bags are exact in whatever order they are added."""
    at = np.arange(start * dim, (start + rows) * dim) % 1024
    return (at.astype(np.float32) / 1024).reshape(rows, dim)


def gradient(args):
    """The gradient of every pooled batch."""
    b, d = np.ogrid[: args.batch, : args.dim]
    return ((b + d) % 16 + 1).astype(np.float32) / 16


def rate(step, ids, seconds):
    """Ids a second of step over the batches of ids, again and again for about
    the given seconds. One untimed call comes first."""
    step(ids[0])
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        step(ids[done % len(ids)])
        done += 1
    return done * len(ids[0]) / (time.perf_counter() - start)


def once(step, ids):
    """Ids a second of one pass of step over the batches of ids."""
    start = time.perf_counter()
    for batch in ids:
        step(batch)
    return len(ids) * len(ids[0]) / (time.perf_counter() - start)


def report(op, dist, rate, check, detail=""):
    """Prints one figure: ids a second, and a number that shows that all
    contenders did the same work."""
    print(json.dumps({"op": op, "dist": dist, "rate": rate, "check": float(check), "detail": detail}), flush=True)


def memory(field):
    """Bytes of this process: Rss, AnonHugePages and the like."""
    with open("/proc/self/smaps_rollup") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def huge_pages():
    """A word on huge pages, for a figure's detail."""
    return f"{memory('AnonHugePages') / max(memory('Rss'), 1):.0%} of memory on huge pages"

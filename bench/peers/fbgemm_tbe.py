"""FBGEMM: the CPU path of its table-batched embedding, exact Adagrad fused into
the backward pass."""

import ctypes
import os

import common
import fbgemm_gpu
import torch
from fbgemm_gpu.split_embedding_configs import EmbOptimType, SparseType
from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
    ComputeDevice,
    SplitTableBatchedEmbeddingBagsCodegen,
)
from torch_bag import fill

# The names of fbgemm's inst_set_t. "any" is its scalar reference, which it falls
# back to without a word where its detection of the processor fails.
INSTRUCTION_SETS = {1: "avx2", 2: "avx512", 3: "avx512 on 256 bits", 4: "avx512 vnni", 5: "avx512 vnni on 256 bits", 6: "sve"}


def instruction_set():
    """The instruction set that the kernels use; an error where it is none."""
    lib = ctypes.CDLL(os.path.join(os.path.dirname(fbgemm_gpu.__file__), "fbgemm.so"))
    found = lib._ZN6fbgemm20fbgemmInstructionSetEv()
    if found == 0:
        raise SystemExit("fbgemm runs its scalar fallback here: it found no vector instructions, which some pairs "
                         "of its version and PyTorch's get wrong. Its figures would be 10 times too low")
    return INSTRUCTION_SETS.get(found, f"instruction set {found}")


def table(args, optimizer):
    emb = SplitTableBatchedEmbeddingBagsCodegen(
        [(args.rows, args.dim, EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=optimizer, learning_rate=0.1, eps=1e-8,
        pooling_mode=PoolingMode.SUM, output_dtype=SparseType.FP32,
    )
    fill(emb.split_embedding_weights()[0], args)
    return emb


def measure(args, detail):
    emb = table(args, EmbOptimType.EXACT_ADAGRAD if args.work == "train" else EmbOptimType.EXACT_SGD)
    offsets = torch.arange(0, args.batch * args.bag + 1, args.bag)
    grad = torch.from_numpy(common.gradient(args))

    def forward(batch):
        return emb(batch, offsets)

    def step(batch):
        forward(batch).backward(grad)

    for name, ids in common.batches(args):
        ids = torch.from_numpy(ids)
        if args.work == "train":
            fill(emb.split_embedding_weights()[0], args)
            for state in emb.split_optimizer_states()[0]:
                state.zero_()
            step(ids[0])
        with torch.no_grad():
            check = forward(ids[0]).double().sum()
        with torch.set_grad_enabled(args.work == "train"):
            rate = common.rate(step if args.work == "train" else forward, ids, args.seconds)
        common.report(args.work, name, rate, check, f"{detail}, {common.huge_pages()}")


def main():
    args = common.arguments()
    torch.set_num_threads(args.threads)
    measure(args, instruction_set())


if __name__ == "__main__":
    main()

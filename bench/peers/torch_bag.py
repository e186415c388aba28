"""PyTorch: EmbeddingBag with sparse gradients and torch.optim.Adagrad."""

import common
import torch


def table(args):
    """An EmbeddingBag with the common values, filled a row of 1024 at a time."""
    bag = torch.nn.EmbeddingBag(
        args.rows, args.dim, mode="sum", sparse=True, include_last_offset=True,
        _weight=torch.empty(args.rows, args.dim),
    )
    fill(bag.weight, args)
    return bag


def fill(weight, args):
    with torch.no_grad():
        period = 1024 // args.dim
        weight.view(-1, period * args.dim).copy_(torch.from_numpy(common.pattern(period, args.dim)).view(1, -1))


def gather(args):
    bag = table(args)
    offsets = torch.arange(0, args.batch * args.bag + 1, args.bag)
    with torch.no_grad():
        for name, ids in common.batches(args):
            ids = torch.from_numpy(ids)
            check = bag(ids[0], offsets).double().sum()
            rate = common.rate(lambda batch: bag(batch, offsets), ids, args.seconds)
            common.report("gather", name, rate, check, common.huge_pages())


def train(args):
    bag = table(args)
    offsets = torch.arange(0, args.batch * args.bag + 1, args.bag)
    grad = torch.from_numpy(common.gradient(args))
    for name, ids in common.batches(args):
        ids = torch.from_numpy(ids)
        fill(bag.weight, args)
        optimizer = torch.optim.Adagrad(bag.parameters(), lr=0.1, eps=1e-8)

        def step(batch):
            optimizer.zero_grad(set_to_none=True)
            bag(batch, offsets).backward(grad)
            optimizer.step()

        step(ids[0])
        with torch.no_grad():
            check = bag(ids[0], offsets).double().sum()
        rate = common.rate(step, ids, args.seconds)
        common.report("train", name, rate, check, common.huge_pages())


def main():
    args = common.arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    {"gather": gather, "train": train}[args.work](args)


if __name__ == "__main__":
    main()

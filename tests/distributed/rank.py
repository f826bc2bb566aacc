"""One of two processes that read together with torch. `test_two_ranks.py` starts it.

    python rank.py FEATURE_SET MEETING RANK RESULT

`MEETING` is a file by which the processes find each other. The first process writes the ids that each of them received.
"""

import json
import sys

import torch
from torch import distributed
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

from audiopipe import FeatureSet

RANKS, WORKERS, BATCH_SIZE, EPOCHS = 2, 2, 4, 2


def means(items):
    """Returns the ids of a batch, and the mean of each feature. Workers call this."""
    return [item["id"] for item in items], torch.tensor([[float(item["feature"].mean())] for item in items])


def trained(loader, sampler=None):
    """Trains a weight on the batches of all processes, and returns the ids of this one, by epoch, and the weight."""
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(1, 1))
    optimizer, epochs = torch.optim.SGD(model.parameters(), 1e-3), []
    for epoch in range(EPOCHS):
        if sampler is not None:
            sampler.set_epoch(epoch)
        epochs.append([])
        with Join([model]):  # a process with a batch more does not wait for the other one
            for ids, inputs in loader:
                epochs[-1] += ids
                optimizer.zero_grad()
                model(inputs).sum().backward()
                optimizer.step()
    return epochs, model.module.weight.item()


def loaders(sets, rank):
    """Yields the name of each case, its loader and its sampler."""
    options = {"batch_size": BATCH_SIZE, "num_workers": WORKERS, "collate_fn": means}
    for count in (len(sets), len(sets) - 1):
        view = sets[:count]
        shuffling = {"shuffle": True, "generator": torch.Generator().manual_seed(rank)}
        yield f"{count} in shards", DataLoader(view.shard(rank, RANKS), **options), None
        yield f"{count} shuffled in shards", DataLoader(view.shard(rank, RANKS), **options, **shuffling), None
    sampler = DistributedSampler(view, RANKS, rank, seed=3)  # repeats a clip unless their number is even
    yield f"{count} by a sampler", DataLoader(view, sampler=sampler, **options), sampler


def main():
    folder, meeting, rank, result = sys.argv[1:]
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=RANKS)
    found = {name: trained(*loading) for name, *loading in loaders(FeatureSet(folder), int(rank))}
    gathered = [None] * RANKS
    distributed.all_gather_object(gathered, found)
    if int(rank) == 0:
        with open(result, "w") as file:
            json.dump(gathered, file)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()

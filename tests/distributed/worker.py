"""One of two workers that read and train together. `test_two_workers.py` starts it.

    python worker.py FEATURE_SET RESULT

`TF_CONFIG` says which worker it is. It writes the ids that it received into a JSON file.
"""

import json
import sys

import tensorflow as tf

from audiopipe import FeatureSet, load, tfdata
from audiopipe.feature_sets.description import Description

BATCH_SIZE = 8  # of both workers together
EPOCHS = 2


def datasets(folder, worker):
    """Yields the name of each case, its dataset, and the number of clips that both workers have together."""
    sets = FeatureSet(folder)
    for count in (len(sets), len(sets) - 1):
        view = sets[:count]
        shard = view.shard(worker, 2)
        yield f"{count} in order", load(folder if count == len(sets) else view, columns=[]), count
        yield f"{count} shuffled", load(view, columns=[], shuffle=True, seed=1), count
        yield f"{count} in shards", load(shard, columns=[]), count
        yield f"{count} shuffled in shards", load(shard, columns=[], shuffle=True, seed=1), count


def trained(strategy, dataset, config):
    """Trains a weight on a dataset, like a loop that people write.

    Returns:
        The ids that this worker received, by epoch; the number of clips that all workers counted; and the weight.
    """
    with strategy.scope():
        weight = tf.Variable(1.0)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(weight * tf.reduce_mean(batch["feature"], [1, 2, 3]))
        gradient = tape.gradient(loss, weight)
        total = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradient)
        weight.assign_sub(1e-3 * total)
        return tf.shape(batch["id"])[0]

    batches = strategy.experimental_distribute_dataset(tfdata.padded_batch(dataset, BATCH_SIZE, config))
    epochs, clips = [], 0
    for _ in range(EPOCHS):
        epochs.append([])
        for batch in batches:
            for local in strategy.experimental_local_results(batch["id"]):
                epochs[-1] += [clip_id.decode() for clip_id in local.numpy()]
            clips += int(strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(step, args=(batch,)), axis=None))
    return {"epochs": epochs, "clips": clips, "weight": float(weight.numpy())}


def main():
    folder, result = sys.argv[1:]
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    worker = strategy.cluster_resolver.task_id
    config = Description.open(folder).config
    found = {
        name: {**trained(strategy, dataset, config), "expected": count}
        for name, dataset, count in datasets(folder, worker)
    }
    with open(result, "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()

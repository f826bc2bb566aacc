"""What a function of datasets must keep: their options, and that iterators can be saved."""

import tensorflow as tf

OFF = tf.data.experimental.AutoShardPolicy.OFF


def with_option(dataset):
    """Returns a dataset with an option that is not the default."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = OFF
    return dataset.with_options(options)


def has_option(dataset):
    return dataset.options().experimental_distribute.auto_shard_policy == OFF


def ids_after_a_restore(dataset, folder):
    """Returns the ids that follow the first one, in an iterator that was saved after it and restored."""
    iterator = iter(dataset)
    next(iterator)
    path = tf.train.Checkpoint(iterator=iterator).save(str(folder / "iterator"))
    other = iter(dataset)
    tf.train.Checkpoint(iterator=other).restore(path)
    return [element["id"].numpy() for element in other]

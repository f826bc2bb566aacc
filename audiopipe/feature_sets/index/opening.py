"""Opening of the index of a feature set."""

from audiopipe.feature_sets.description import Description
from audiopipe.feature_sets.index.from_records import of_records
from audiopipe.feature_sets.index.reader import Index, IndexFile, IndexTable
from audiopipe.storage import files


def opened(description: Description) -> Index:
    """Opens the index that a feature set names. Sets of format 1 have none, and get one from their records.

    Args:
        description: The feature set.

    Raises:
        CorruptFeatureSetError: If the index is missing or damaged, or does not fit the feature set. Reading raises it
            too.
    """
    if description.index is None:
        return IndexTable(of_records(description), description.columns)
    path = files.join(description.path, description.index["name"])
    return IndexFile(path, description.columns, description.counts["clips"], description.index)

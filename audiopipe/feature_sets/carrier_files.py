"""Files that carry the config of a feature: `.keras` files, SavedModels and Parquet files. None of them is loaded.

- A `.keras` file contains the config in the config of the layer and in a separate file.
- A SavedModel contains it, with the kernel version, in a constant of the graph.
- Both contain the stamp of a model in the same ways.
- A Parquet file that `datasets` wrote contains it, with the kernel version, in the description of the column, and the
  digests of its rows in another column.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from audiopipe.errors import AudiopipeError, FingerprintError
from audiopipe.feature_sets import graph_messages
from audiopipe.feature_sets.identities import FRONT_END, Identity, current, stamped, trained_on
from audiopipe.identity import model_stamps
from audiopipe.storage import files

SAVED_MODEL_FILE = "saved_model.pb"

_CONSTANT = re.compile(rf"(?:.*/)?({model_stamps.NODE}|{model_stamps.TRAINED_ON_NODE})(?:_\d+)?")
_ASSETS: dict[str, Callable[[str], Identity]] = {
    model_stamps.ASSET: current,
    model_stamps.TRAINED_ON_ASSET: trained_on,
}


def is_saved_model(path: str) -> bool:
    """Returns whether a folder contains a SavedModel."""
    return files.exists(files.join(path, SAVED_MODEL_FILE))


def in_keras_file(path: str) -> Iterator[Identity]:
    """Yields the identities in the layers of a `.keras` file.

    Raises:
        FingerprintError: If the file is damaged or was edited.
    """
    try:
        with files.open_binary(path) as file, zipfile.ZipFile(file) as archive:
            waiting = [json.loads(archive.read("config.json"))]
            assets = [(name.rpartition("/")[2], name) for name in archive.namelist()]
            carried = [(_ASSETS[last], archive.read(name).decode()) for last, name in assets if last in _ASSETS]
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError) as error:
        raise FingerprintError(
            f"{path!r} is not a file that Keras saved: {error}. Pass the path of a .keras file."
        ) from error
    for read, text in carried:
        yield read(text)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if value.get("registered_name") == model_stamps.REGISTERED_NAME and value["config"].get("config_json"):
                if model_stamps.is_edited(value["config"]):
                    raise FingerprintError(
                        f"config.json of {path!r} was edited: the layers or the padding of a composed layer do not "
                        "match its config. Save the model again."
                    )
                yield current(value["config"]["config_json"])
            if value.get("registered_name") == model_stamps.STAMP_REGISTERED_NAME:
                yield trained_on(value["config"].get("stamp"))
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def in_saved_model(path: str) -> Iterator[Identity]:
    """Yields the identities in the graphs of a SavedModel.

    Raises:
        FingerprintError: If the file of the graphs is damaged.
    """
    from google.protobuf.message import DecodeError

    name = files.join(path, SAVED_MODEL_FILE)
    try:
        message = graph_messages.saved_model_class().FromString(files.read_bytes(name))
    except DecodeError as error:
        raise FingerprintError(f"{name!r} is damaged: {error}. Save the model again.") from error
    return in_graphs((meta_graph.graph_def for meta_graph in message.meta_graphs), repr(path))


def in_graphs(graphs: Iterable[Any], where: str) -> Iterator[Identity]:
    """Yields the identities in graphs.

    Args:
        graphs: The graphs, each a `GraphDef`.
        where: What contains them, for error messages.

    Raises:
        FingerprintError: If a graph has a config without its kernel version.
    """
    for graph in graphs:
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                found = _CONSTANT.fullmatch(node.name) if node.op == "Const" else None
                if found:
                    text = node.attr["value"].tensor.string_val[0].decode()
                    is_stamp = found[1] == model_stamps.TRAINED_ON_NODE
                    identity = trained_on(text) if is_stamp else stamped(text, origin=FRONT_END)
                    if identity is None:
                        raise FingerprintError(
                            f"{where} does not contain the kernel version of its feature, because the class of its "
                            "config was unknown when it was saved. Import that class and save the model again."
                        )
                    yield identity


def in_parquet_file(path: str) -> Iterator[Identity]:
    """Yields the identities of the feature columns of a Parquet file, of which the schema and some rows are read.

    As in `datasets`, the description of a column counts only as long as the column has its type: float32 in lists.

    Raises:
        FingerprintError: If the file is damaged, or if the values of a feature were changed or have no digests.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from audiopipe.feature_sets import digest_checks

    try:
        with files.open_binary(path) as file:
            schema = pq.read_schema(file)
            described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
            types = described.get("info", {}).get("features", {})
            ids = {field.name: _described_id(types.get(field.name)) for field in schema}
            columns = {
                field.name: stamped(ids[field.name]) for field in schema if _item_type(field.type) == pa.float32()
            }
            identities = {name: identity for name, identity in columns.items() if identity is not None}
            texts = {field.name: ids[field.name] for field in schema if _is_text(field.type)}
            for name in identities:
                digest_checks.check_parquet(file, name, identities, texts)
    except AudiopipeError:
        raise
    except (OSError, pa.ArrowException, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise FingerprintError(f"{path!r} is not a valid Parquet file: {error}. Write the file again.") from error
    yield from identities.values()


def _described_id(described: Any) -> str | None:
    """Returns the `id` in the description of a column. A nested list has the `id` of its innermost elements."""
    while isinstance(described, dict) and "feature" in described:
        described = described["feature"]
    return described.get("id") if isinstance(described, dict) else None


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _item_type(kind: Any) -> Any:
    """Returns the Arrow type of the innermost items of nested lists."""
    import pyarrow as pa

    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            kind = kind.value_type
        else:
            return kind

"""The protobuf message `tf.train.Example` without TensorFlow.

An `Example` maps names to lists of bytes, of integers or of 32-bit floats. Its definition is
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/example.proto with
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/feature.proto.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_PACKAGE = "audiopipe"
_FIELD = descriptor_pb2.FieldDescriptorProto
_LISTS = {"BytesList": _FIELD.TYPE_BYTES, "FloatList": _FIELD.TYPE_FLOAT, "Int64List": _FIELD.TYPE_INT64}
_KINDS = {"bytes_list": "BytesList", "float_list": "FloatList", "int64_list": "Int64List"}


class Form(NamedTuple):
    """Form of an entry.

    Args:
        kind: Name of the field of the message with the values: `"bytes_list"` or `"int64_list"`.
        n_values: Number of values. None means any.
        sizes: Possible numbers of bytes of each value. None means any.
    """

    kind: str
    n_values: int | None
    sizes: range | None = None


def serialize(texts: Mapping[str, Iterable[bytes]], integers: Mapping[str, Iterable[int]]) -> bytes:
    """Serializes an `Example`.

    Args:
        texts: Values of each entry of bytes.
        integers: Values of each entry of integers, which must fit in 64 bits.

    Returns:
        The bytes of `tf.train.Example.SerializeToString(deterministic=True)`.

    Example:
        >>> parse(serialize({"id": [b"speech"]}, {"n_frames": [98]}))
        ({'id': [b'speech']}, {'n_frames': [98]})
    """
    example = _EXAMPLE()
    example.features.SetInParent()  # without entries as well
    entries = example.features.feature
    for name, values in texts.items():
        added = entries[name].bytes_list
        added.SetInParent()  # an entry without values has a type as well
        added.value.extend(values)
    for name, numbers in integers.items():
        listed = entries[name].int64_list
        listed.SetInParent()
        listed.value.extend(numbers)
    return example.SerializeToString(deterministic=True)


def parse(data: bytes) -> tuple[dict[str, list[bytes]], dict[str, list[int]]]:
    """Parses a serialized `Example`.

    Args:
        data: The bytes of the message.

    Returns:
        The values of each entry of bytes, and those of each entry of integers. Entries of 32-bit floats are left out.

    Raises:
        ValueError: If the bytes are not an `Example`.
    """
    try:
        entries = _EXAMPLE.FromString(data).features.feature
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The bytes are not a tf.train.Example: {error}") from error
    texts, integers = {}, {}
    for name, entry in entries.items():
        kind = entry.WhichOneof("kind")
        if kind == "bytes_list":
            texts[name] = list(entry.bytes_list.value)
        elif kind == "int64_list":
            integers[name] = list(entry.int64_list.value)
    return texts, integers


def checked(data: bytes, forms: Mapping[str, Form]) -> bytes:
    """Serializes an `Example` anew after a check, so that TensorFlow can parse it.

    Args:
        data: The bytes of the message.
        forms: Form of the entries. Those that are not there are not checked.

    Raises:
        ValueError: If the bytes are not an `Example`, or an entry has another form.

    Example:
        >>> data = serialize({"id": [b"speech"]}, {"n_frames": [98]})
        >>> checked(data, {"id": Form("bytes_list", 1)}) == data
        True
    """
    try:
        example = _EXAMPLE.FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The bytes are not a tf.train.Example: {error}.") from error
    entries = example.features.feature
    for name, form in forms.items():
        if name in entries:
            kind, count, sizes = form
            values = getattr(entries[name], kind).value
            fits = entries[name].HasField(kind) if count is None else len(values) == count
            if not fits or (sizes is not None and any(len(value) not in sizes for value in values)):
                raise ValueError(f"The entry {name!r} does not have the form of its type.")
    example.DiscardUnknownFields()  # which the parser of TensorFlow may refuse
    return example.SerializeToString(deterministic=True)


def _example_class() -> Any:
    """Builds the class of the message from its definition.

    The definition is in a pool of its own, because a process may hold TensorFlow's definition as well.
    """
    file = descriptor_pb2.FileDescriptorProto(name="audiopipe/example.proto", package=_PACKAGE, syntax="proto3")
    for name, kind in _LISTS.items():
        _field(file.message_type.add(name=name), "value", 1, kind, repeated=True)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, message) in enumerate(_KINDS.items(), start=1):
        _field(feature, name, number, message).oneof_index = 0
    features = file.message_type.add(name="Features")
    _field(features, "feature", 1, "Features.FeatureEntry", repeated=True)
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    _field(entry, "key", 1, _FIELD.TYPE_STRING)
    _field(entry, "value", 2, "Feature")
    _field(file.message_type.add(name="Example"), "features", 1, "Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Example"))


def _field(message: Any, name: str, number: int, kind: "int | str", repeated: bool = False) -> Any:
    """Adds a field to the definition of a message. A text as `kind` is the name of another message."""
    label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
    if isinstance(kind, str):
        named = f".{_PACKAGE}.{kind}"
        return message.field.add(name=name, number=number, label=label, type=_FIELD.TYPE_MESSAGE, type_name=named)
    return message.field.add(name=name, number=number, label=label, type=kind)


_EXAMPLE = _example_class()

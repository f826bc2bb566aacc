"""Message class for the file of a SavedModel, so that its graphs are read without TensorFlow.

It has only the fields that lead to the constants. protobuf keeps all others as unknown fields.
"""

import functools
from typing import Any

# Name, number and type of each field. A type in brackets is repeated. The numbers are those of
# https://github.com/tensorflow/tensorflow/tree/master/tensorflow/core/{protobuf,framework}.
_FIELDS = {
    "SavedModel": [("meta_graphs", 2, "[MetaGraphDef]")],
    "MetaGraphDef": [("graph_def", 2, "GraphDef")],
    "GraphDef": [("node", 1, "[NodeDef]"), ("library", 2, "FunctionDefLibrary")],
    "FunctionDefLibrary": [("function", 1, "[FunctionDef]")],
    "FunctionDef": [("node_def", 3, "[NodeDef]")],
    "NodeDef": [("name", 1, "string"), ("op", 2, "string"), ("attr", 5, "[NodeDef.AttrEntry]")],
    "NodeDef.AttrEntry": [("key", 1, "string"), ("value", 2, "AttrValue")],
    "AttrValue": [("tensor", 8, "TensorProto")],
    "TensorProto": [("string_val", 8, "[bytes]")],
}


@functools.cache
def saved_model_class() -> Any:
    """Returns the message class of `saved_model.pb`."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field_types = descriptor_pb2.FieldDescriptorProto
    scalars = {"string": field_types.TYPE_STRING, "bytes": field_types.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(name="saved_model.proto", package="audiopipe", syntax="proto3")
    messages: dict[str, Any] = {}
    for name, fields in _FIELDS.items():
        outer, _, inner = name.rpartition(".")
        message = messages[outer].nested_type.add(name=inner) if outer else file.message_type.add(name=inner)
        message.options.map_entry = bool(outer)
        messages[name] = message
        for field, number, kind in fields:
            single = kind.strip("[]")
            message.field.add(
                name=field,
                number=number,
                label=field_types.LABEL_OPTIONAL if single == kind else field_types.LABEL_REPEATED,
                type=scalars.get(single, field_types.TYPE_MESSAGE),
                type_name=None if single in scalars else f".audiopipe.{single}",
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("audiopipe.SavedModel"))

"""Options that decide what is read from an input."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audiopipe import checks
from audiopipe.errors import InputError


@dataclass(frozen=True, slots=True)
class InputOptions:
    """Options that decide which clips an input has, and which metadata they have.

    Args:
        path_column: Column of a manifest that contains the path of the audio. None finds it by its name.
        id_column: Column of a manifest or a table that contains the id of the clip. None uses a column `id` if there
            is one.
        class_columns: Text columns that are stored as integers, with their values as class names. A single name may be
            given alone.
        label_from_folder: Whether the clips of a folder or a glob get a column `label` with the name of the folder
            that they are in.

    Raises:
        ArgumentError: If a value is not a name, names are repeated, or both columns are the same.

    Example:
        >>> options = InputOptions(path_column="clip", class_columns=("label",))
        >>> options.to_dict()
        {'path_column': 'clip', 'class_columns': ['label']}
        >>> InputOptions.from_dict(options.to_dict()) == options
        True
    """

    path_column: str | None = None
    id_column: str | None = None
    class_columns: Sequence[str] = ()
    label_from_folder: bool = False

    def __post_init__(self) -> None:
        for name in ("path_column", "id_column"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise checks.fail(name, "the name of a column or None", value)
        if self.path_column is not None and self.path_column == self.id_column:
            raise checks.fail("id_column", "another column than path_column", self.id_column)
        columns = (self.class_columns,) if isinstance(self.class_columns, str) else self.class_columns
        if not isinstance(columns, (tuple, list)):
            raise checks.fail("class_columns", "the name of a column or several names", columns)
        if not all(isinstance(name, str) and name for name in columns) or len(set(columns)) != len(columns):
            raise checks.fail("class_columns", "different names of columns", columns)
        object.__setattr__(self, "class_columns", tuple(columns))
        object.__setattr__(self, "label_from_folder", checks.boolean("label_from_folder", self.label_from_folder))

    def to_dict(self) -> dict[str, Any]:
        """Returns the options that differ from their defaults, as values that JSON can represent."""
        values = {field.name: (getattr(self, field.name), field.default) for field in dataclasses.fields(self)}
        different = {name: value for name, (value, default) in values.items() if value != default}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in different.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "InputOptions":
        """Creates options from a dict that `to_dict` returned.

        Raises:
            InputError: If there are options that this version does not know.
            ArgumentError: If a value is invalid.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [name for name in values if name not in known]
        if unknown:
            raise InputError(
                f"Options of an input must be among {', '.join(known)}. Received: {', '.join(map(repr, unknown))}. A "
                "newer version of audiopipe may have written them: upgrade audiopipe."
            )
        return cls(**values)

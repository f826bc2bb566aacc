"""Commands that suggest what a misspelt option or choice was meant to be."""

import difflib
import importlib.util
from collections.abc import Iterator
from typing import Any

import typer
from typer.core import TyperCommand

from audiopipe import wording
from audiopipe.runtime import startup

LIKENESS = 0.8  # from which an option that Apache Beam does not have either is a misspelt one of audiopipe


class SuggestingCommand(TyperCommand):
    """Command that suggests a choice for a misspelt one, and names the argument that is missing."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for param in self.params:
            if getattr(param, "is_flag", False):
                param.metavar = ""  # typer shows the type of a flag, as if it took a value

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the command line."""
        words = list(args)  # the parser consumes its list
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            choices, own = _choices(error.param), getattr(error.param, "opts", [])
            for name, value in _options(self, words):
                if choices and name in own and value not in choices:
                    suggestion = wording.did_you_mean(value, choices)
                    error.message = f"{value!r} is not one of {', '.join(choices)}.{suggestion}"
            if type(error).__name__ == "MissingParameter" and getattr(error.param, "nargs", 1) == -1:
                # The only word was taken for the last argument, but its writer meant the first one.
                error.param = self._last_argument(ctx, words) or error.param
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the words of the line about the usage, without the braces that newer releases of typer add."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def _last_argument(self, ctx: Any, words: list[str]) -> Any:
        """Returns the last argument of the command if the command line has a word for it, otherwise None."""
        values, *_ = self.make_parser(ctx).parse_args(args=list(words))
        arguments = [param for param in self.params if param.param_type_name == "argument"]
        return next((param for param in arguments[-1:] if values.get(param.name) is not None), None)


class BeamCommand(SuggestingCommand):
    """Command that passes options on to Apache Beam, except misspelt ones of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the command line, and refuses misspelt options."""
        own = ["--help", *(name for param in self.params for name in param.opts if name.startswith("--"))]
        for name, _ in _options(self, args):
            dashed = name.replace("_", "-")
            found = difflib.get_close_matches(dashed, own, cutoff=LIKENESS)
            if name not in own and found and name.lstrip("-").replace("-", "_") not in _beam_options():
                ctx.fail(f"No such option: {name}.{wording.did_you_mean(dashed, found)}")
        return super().parse_args(ctx, args)


def _options(command: TyperCommand, words: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the long options of a command line, and the word that is their value if they take one."""
    takes_value = {name for param in command.params if not getattr(param, "is_flag", False) for name in param.opts}
    remaining = iter(words)
    for word in remaining:
        name, equals, value = word.partition("=")
        if name == "--":
            return
        if name.startswith("--"):
            yield name, value if equals else next(remaining, "") if name in takes_value else ""


def _choices(param: Any) -> list[str]:
    """Returns the values that an option may have, or nothing if there are too many to list."""
    for holder in ("type_descriptor", "type"):  # newer releases of typer have the first
        choices = getattr(getattr(param, holder, None), "choices", None)
        if choices:
            return [str(choice) for choice in choices]
    return []


def _beam_options() -> set[str]:
    """Returns the names of Beam's options, with underscores."""
    if importlib.util.find_spec("apache_beam") is None:
        return set()
    with startup.quiet():
        from apache_beam.options.pipeline_options import PipelineOptions

    return set(PipelineOptions([]).get_all_options())

"""Figures as SVG inside a page: with the fonts and colours of the page, and small pictures."""

import base64
import contextlib
import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURE_DPI = 144  # of pictures inside a figure: two pixels for each of the page, for sharp screens
PICTURE_QUALITY = 82  # of WebP, from 0 to 100

# Colours that stand for those of the page, which depend on whether it is light or dark.
INK, LINE, FIRST, SECOND = "#010203", "#010204", "#010205", "#010206"
_PAGE_COLOURS = {INK: "var(--muted)", LINE: "var(--line)", FIRST: "var(--first)", SECOND: "var(--second)"}
_PICTURE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*"|(<svg[^>]*?) height="[^"]*"')
_IDS = re.compile(r'(\bid="|url\(#|href="#)')


@contextlib.contextmanager
def style(colour: str = FIRST) -> Iterator[None]:
    """Draws figures in a `with` block in the style of the page.

    Args:
        colour: Colour of the first line of a chart.
    """
    import matplotlib

    with matplotlib.rc_context(_settings(colour)):
        yield


def colour_of(letter: str = "", *others: str) -> str:
    """Returns the colour of the feature set with a letter, or of the first of several."""
    return SECOND if letter == "B" else FIRST


def inlined(figure: "Figure", number: int, label: str, colour: str = FIRST) -> Markup:
    """Returns a figure as an SVG element.

    Args:
        figure: The figure, which was drawn in `style`.
        number: A number that no other figure of the page has. It makes the ids in the figure unique.
        label: What the figure shows, for people who cannot see it.
        colour: The colour that `style` had.

    Returns:
        Markup. matplotlib escapes all text in a figure.
    """
    file = io.StringIO()
    with style(colour):  # matplotlib looks colours of the cycle up when it draws
        figure.savefig(file, format="svg", dpi=PICTURE_DPI, facecolor="none", metadata={"Date": None, "Creator": None})
    text = _METADATA.sub("", _HEAD.sub("", file.getvalue()))
    for _ in range(2):
        text = _SIZE.sub(lambda match: match[1] or match[2], text, count=1)
    text = _IDS.sub(rf"\g<1>f{number}-", text)
    text = _PICTURE.sub(_smaller, text)
    for colour, name in _PAGE_COLOURS.items():
        text = text.replace(colour, name)
    return Markup(text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1))


def _smaller(match: re.Match[str]) -> str:
    """Returns a picture as WebP, which every browser shows, in a fraction of the bytes."""
    from PIL import Image

    file = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(match[1]))) as picture:
        picture.convert("RGBA" if _is_transparent(picture) else "RGB").save(
            file, "WEBP", quality=PICTURE_QUALITY, method=6
        )
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _is_transparent(picture: Any) -> bool:
    return "A" in picture.mode and picture.getchannel("A").getextrema()[0] < 255


def _settings(colour: str) -> dict[str, Any]:
    from cycler import cycler

    return {
        "svg.fonttype": "none",  # text stays text, in the font of the page
        "svg.hashsalt": "audiopipe",  # equal figures are equal texts
        "font.size": 9,
        "font.family": "sans-serif",
        "axes.facecolor": "none",
        "axes.edgecolor": LINE,
        "axes.labelcolor": INK,
        "axes.titlesize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=[colour, SECOND]),
        "grid.color": LINE,
        "legend.facecolor": "none",
        "legend.edgecolor": "none",
        "legend.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
    }

"""Files of figures."""

import warnings

import matplotlib.image
import pytest

from audiopipe.errors import ArgumentError
from audiopipe.plotting import images


def test_a_figure_is_saved_without_warnings_of_letters_that_the_font_lacks(tmp_path):
    figure = images.new_figure(4, 2)
    figure.subplots().set_title("日本.wav")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.save(figure, tmp_path / "image.png")
    assert matplotlib.image.imread(tmp_path / "image.png").shape == (240, 480, 4)


def test_an_image_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ArgumentError, match=r"Could not write the image '.*nowhere/image.png': .*No such file"):
        images.save(images.new_figure(4, 2), tmp_path / "nowhere/image.png")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "clip.wav",
            "extension of a format that matplotlib writes: .*png.*Received: '.*clip.wav'. The image is the last",
        ),
        ("image", "extension of a format"),
        ("nowhere/image.png", "The folder of the image must exist.*Create '.*nowhere'"),
    ],
)
def test_a_path_is_checked_before_anything_is_computed(tmp_path, name, message):
    images.check_path(tmp_path / "image.PNG")
    with pytest.raises(ArgumentError, match=message):
        images.check_path(tmp_path / name)

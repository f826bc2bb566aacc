"""The gallery leaves nothing out. `make docs` runs its scripts."""

import inspect
import re
from pathlib import Path

from audiopipe import configs
from audiopipe.configs.presets import presets

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "examples" / "gallery"


def test_every_preset_is_drawn_once():
    families = re.findall(r"draw_family\(\s*\[(.*?)\]", (GALLERY / "presets.py").read_text(), re.DOTALL)
    names = [name for family in families for name in re.findall(r'"([\w-]+)"', family)]
    assert sorted(names) == sorted(presets())


def test_every_kind_of_feature_is_drawn():
    kinds = [name for name, kind in vars(configs).items() if inspect.isclass(kind) and issubclass(kind, configs.Config)]
    drawn = re.findall(r"configs\.(\w+)\(", (GALLERY / "features.py").read_text())
    assert set(drawn) == set(kinds) - {"Config"}


def test_every_script_has_a_place_in_the_order():
    ordered = re.findall(r'^ +"(\w+\.py)",$', (ROOT / "docs" / "conf.py").read_text(), re.MULTILINE)
    assert sorted(ordered) == sorted(path.name for path in GALLERY.glob("*.py"))

from .channels import pick_channel as pick_channel
from .elementwise import emphasize as emphasize
from .elementwise import expm1 as expm1
from .elementwise import in_whole_registers as in_whole_registers
from .elementwise import log as log
from .elementwise import log1p as log1p
from .elementwise import log10 as log10
from .elementwise import power as power
from .elementwise import standardize as standardize
from .filterbank_product import apply_filterbank as apply_filterbank
from .filterbank_product import apply_in_parts as apply_in_parts
from .filterbank_product import combine_bins as combine_bins
from .fourier import frame as frame
from .fourier import overlap_add as overlap_add
from .fourier import rfft as rfft
from .magnitude_phase import magnitude as magnitude
from .magnitude_phase import phase as phase
from .magnitude_phase import phase_of_parts as phase_of_parts
from .magnitude_phase import power_spectrum as power_spectrum
from .sums import mix_down as mix_down
from .sums import ordered_sum as ordered_sum
from .sums import pairwise_sum as pairwise_sum
from .sums import without_inaudible as without_inaudible

__all__ = [
    "apply_filterbank",
    "apply_in_parts",
    "combine_bins",
    "emphasize",
    "expm1",
    "frame",
    "in_whole_registers",
    "log",
    "log1p",
    "log10",
    "magnitude",
    "mix_down",
    "ordered_sum",
    "overlap_add",
    "pairwise_sum",
    "phase",
    "phase_of_parts",
    "pick_channel",
    "power",
    "power_spectrum",
    "rfft",
    "standardize",
    "without_inaudible",
]

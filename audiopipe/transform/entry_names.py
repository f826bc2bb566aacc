"""Names of the entries and columns with lengths of clips, the same in every door and in feature sets."""

N_FRAMES = "n_frames"
VALID_FRAMES = "valid_frames"
VALID_SAMPLES = "valid_samples"
"""Entry of elements whose clips are padded segments: the number of samples before the padding."""

"""References of published front ends, the clips and the rule by which presets are compared with them."""

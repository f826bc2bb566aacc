"""Reports about feature sets: one HTML file each."""

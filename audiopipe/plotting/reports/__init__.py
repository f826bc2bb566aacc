"""Reports about feature sets: one HTML file each."""

__all__: list[str] = []

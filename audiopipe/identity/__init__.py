"""Identity of features: kernel versions, and the names under which model files store configs."""

__all__ = ["kernel_versions", "model_stamps"]

"""What makes two features the same: kernel versions, and the marks that model files carry."""

__all__ = ["kernel_versions", "model_stamps"]

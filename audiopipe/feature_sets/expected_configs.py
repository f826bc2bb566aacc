"""The rule which stored features fit an expected config: equal ones, and those before its normalization.

A normalized config is a config with one more step at its end, `(x - mean) / std`. Features of the config without this
step, its base, become features of the normalized config on reading.
"""

from audiopipe.configs.base import Config
from audiopipe.errors import ConfigMismatchError


def lacks_normalization(config: Config, kernel_version: int, expected: Config, expected_version: int) -> bool:
    """Returns whether features are those of an expected config before its normalization.

    Args:
        config: Config of the features.
        kernel_version: Kernel version that computed the features.
        expected: The expected config.
        expected_version: The expected kernel version.

    Example:
        >>> from audiopipe import Statistics, registry
        >>> config = registry.get("speech-mel-80")
        >>> normalized = config.normalized(Statistics(mean=[-30.0] * 80, std=[8.0] * 80))
        >>> lacks_normalization(config, 1, normalized, 1), lacks_normalization(normalized, 1, config, 1)
        (True, False)
    """
    if expected.standardization is None:
        return False
    return expected.without_normalization.fingerprint_at(expected_version) == config.fingerprint_at(kernel_version)


def check(
    where: str,
    config: Config,
    kernel_version: int,
    expected: Config,
    expected_version: int,
    *,
    on_reading: bool = False,
) -> None:
    """Raises an error unless features have an expected config.

    Args:
        where: What the message calls the features, such as their folder.
        config: Config of the features.
        kernel_version: Kernel version that computed the features.
        expected: The expected config.
        expected_version: The expected kernel version.
        on_reading: Whether the features are stored without the normalization of `config` and get it on reading.

    Raises:
        ConfigMismatchError: If the config or the kernel version differs. The message lists the differences. If only a
            normalization differs, it says what to do.
    """
    wanted, found = expected.fingerprint_at(expected_version), config.fingerprint_at(kernel_version)
    if wanted == found:
        return
    kind = "Expected"
    fault, advice = _difference_of_normalizations(config, kernel_version, expected, expected_version, on_reading)
    if not fault:
        fault = "holds features of another config"
        advice = "Use features of the expected config, or pass the config of these features."
        if expected.standardization is not None and config.standardization is None:
            # The normalization is no difference that matters: it is applied on reading.
            kind, expected = "Expected before its normalization", expected.without_normalization
            wanted = expected.fingerprint_at(expected_version)
    difference = expected.diff(config, kernel_version, expected_version)
    raise ConfigMismatchError(
        f"{where} {fault}. {kind} (left, fingerprint {wanted}) and found (right, fingerprint {found}):\n"
        f"{difference}\n{advice}"
    )


def _difference_of_normalizations(
    config: Config, kernel_version: int, expected: Config, expected_version: int, on_reading: bool
) -> tuple[str, str]:
    """Returns the fault and the advice if features differ in nothing but a normalization, otherwise empty texts."""
    if lacks_normalization(config, kernel_version, expected, expected_version):
        return (
            "holds the features before the normalization of the expected config",
            "Normalize them on reading: audiopipe.load(..., config=...), audiopipe.hf.from_feature_set(..., config) or "
            "FeatureSet(...).normalized(config).",
        )
    if lacks_normalization(expected, expected_version, config, kernel_version):
        if on_reading:
            return (
                "is normalized on reading, and the expected config is not normalized",
                "Pass the feature set from which normalized(...) made this view, or the config of the view.",
            )
        return (
            "holds normalized features, and the expected config is not normalized",
            "A normalization cannot be undone with the same bits. Use a feature set of the expected config, or pass "
            "the config of these features.",
        )
    if expected.standardization is None or config.standardization is None:
        return "", ""
    bases = expected.without_normalization, config.without_normalization
    if bases[0].fingerprint_at(expected_version) != bases[1].fingerprint_at(kernel_version):
        return "", ""
    if on_reading:
        return (
            "is normalized on reading by other numbers than those of the expected config",
            "Normalize the feature set from which normalized(...) made this view.",
        )
    return (
        "holds features that were normalized by other numbers than those of the expected config",
        "A normalization cannot be replaced with the same bits. Use a feature set of the expected config or of its "
        "config.without_normalization, or pass the config of these features.",
    )

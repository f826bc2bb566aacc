"""Words that the shell completes."""


def config_names(incomplete: str) -> list[tuple[str, str]]:
    """Returns the registered names that start with a word, and what each is for.

    A registry that cannot be read has no names here: a message would land in the middle of the line that is typed.

    Example:
        >>> config_names("speech-mel")[0][0]
        'speech-mel-80'
    """
    from audiopipe import registry
    from audiopipe.configs.presets import families
    from audiopipe.errors import AudiopipeError

    purposes = {name: purpose for names in families().values() for name, purpose in names.items()}
    try:
        names = registry.names()
    except AudiopipeError:
        return []
    return [(name, purposes.get(name, "")) for name in names if name.startswith(incomplete)]

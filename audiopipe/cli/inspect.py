"""The command `audiopipe inspect`."""

from typing import Any

from audiopipe.cli.shared_arguments import ImportOption, OutputArgument
from audiopipe.cli.terminal import audio_duration, console, facts_table


def inspect(
    output: OutputArgument,
    imports: ImportOption = [],  # noqa: B006 (typer copies it)
) -> None:
    """Show the config, counts, metadata, shards and machines of a feature set."""
    from audiopipe.feature_sets import FeatureSet, message_kinds
    from audiopipe.precompute import progress

    feature_set = FeatureSet.open(output)
    table = facts_table()
    table.add_row("feature set", output)
    table.add_row("fingerprint", feature_set.fingerprint)
    table.add_row("kernel version", str(feature_set.kernel_version))
    for name, value in feature_set.config.to_dict().items():
        table.add_row(name, repr(value) if name != "feature" else str(value))
    counts = feature_set.counts
    table.add_section()
    table.add_row("clips", f"{counts['clips']}, and {counts['failures']} failures")
    table.add_row("remarks", str(counts.get("remarks", "not recorded")))
    for remark, count in message_kinds.most_common(remark["remark"] for remark in feature_set.remarks()):
        table.add_row("remark", f"{count} x {remark}")
    for note in feature_set.notes:
        table.add_row("note", note)
    table.add_row("frames", f"{counts['frames']:,}")
    table.add_row("audio", audio_duration(counts["hours"] * 3600))
    if feature_set.segments:
        settings = (f"{name}={value}" for name, value in feature_set.segments.to_dict().items())
        table.add_row("segments", ", ".join(settings))
        table.add_row("recordings shorter than a segment", str(counts.get("short_recordings", "not recorded")))
    if feature_set.options.to_dict():
        options = (f"{name}={value!r}" for name, value in feature_set.options.to_dict().items())
        table.add_row("options", ", ".join(options))
    if feature_set.accept_truncated:
        table.add_row("accept_truncated", "True")
    size = progress.size(sum(shard["bytes"] for shard in feature_set.shards))
    table.add_row("shards", f"{len(feature_set.shards)}, {size}")
    table.add_row("metadata", ", ".join(_column(name, feature_set) for name in feature_set.schema) or "none")
    for machine in feature_set.machines:
        table.add_section()
        table.add_row("CPU family", machine["cpu_family"])
        table.add_row("instruction sets", machine.get("instruction_sets", "not recorded"))
        table.add_row("oneDNN", "on" if machine["onednn"] else "off")
        table.add_row("oneDNN limited to", machine.get("onednn_max_isa", "not recorded"))
        for name, version in machine["versions"].items():
            table.add_row(name, version)
    console.print(table)


def _column(name: str, feature_set: Any) -> str:
    facts = [feature_set.schema[name]]
    if name in feature_set.classes:
        facts.append(f"{len(feature_set.classes[name])} classes")
    if name in feature_set.fill_values:
        facts.append(f"missing: {feature_set.fill_values[name]}")
    return f"{name} ({', '.join(facts)})"

"""Manifests of lhotse: recordings, and cuts with their recordings and supervisions."""

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from audiopipe.errors import InputError
from audiopipe.inputs import metadata_types
from audiopipe.inputs.locations import Locations
from audiopipe.inputs.scan_report import ScanReport
from audiopipe.inputs.source import Source
from audiopipe.inputs.stretches import Stretch, stretch_of

# Fields of a supervision that say something about its stretch of the cut.
SUPERVISION_FIELDS = ("text", "speaker", "language", "gender")
OTHER_SUPERVISION_FIELDS = ("id", "recording_id", "start", "duration", "channel", "custom")
UNCHANGED = 0.0005  # seconds; a cut that ends this close to the end of its recording reaches to the end
HARMLESS_TRANSFORMS = ("Resample",)  # each feature has its own sample rate


def matches(row: Any) -> bool:
    """Returns whether a row of a JSON manifest comes from lhotse."""
    return isinstance(row, dict) and "id" in row and (_is_recording(row) or _is_cut(row) or _is_supervision(row))


def clips(rows: Iterable[tuple[int, Any]], path: str, folder: str, report: ScanReport) -> Iterator[Source]:
    """Converts lhotse's recordings or cuts to clips.

    Args:
        rows: The number of the line of each row, and the row.
        path: The manifest, for error messages.
        folder: Folder of the manifest.
        report: Gets what could not be represented.

    Yields:
        A `Source` for each recording or cut, with its id. A cut that does not cover its recording is a stretch of it.
        Its metadata has `duration` and, for cuts, `start`, `recording`, the custom fields, and the id (as
        `supervision`), text, speaker, language and gender of its only supervision. Supervisions that do not fit into
        these columns are in the column `supervisions` as JSON.

    Raises:
        InputError: If the audio is not in one file, or would have to be computed by a command, a mix or a transform.
    """
    locations = Locations(folder, report)
    for number, row in rows:
        where = f"{path!r}, line {number}"
        if not matches(row):
            raise InputError(f"{where}: expected a recording or a cut of lhotse. Received: {row!r}.")
        name = str(row["id"])
        recording = row if _is_recording(row) else row.get("recording")
        if not isinstance(recording, dict):
            raise InputError(
                f"{where}: {row.get('type', 'the supervision')} {name!r} has no recording of its own. Expected "
                "recordings, or cuts of one recording each (MonoCut, MultiCut). Make such cuts with lhotse, for "
                "example with `lhotse cut simple` from recordings and supervisions."
            )
        audio = locations.of(_audio(recording, f"{where}: the recording {recording.get('id')!r}"))
        if recording is row:
            stretch, metadata = None, {"duration": row.get("duration")}
        else:
            stretch, metadata = _stretch(row, recording, where), _metadata(row, recording, report)
        metadata = {key: value for key, value in metadata.items() if value is not None}
        metadata_types.check_text(audio, where)
        metadata_types.check_text(name, where)
        metadata_types.check_columns(metadata, where)
        start, end = (stretch.start, stretch.end) if stretch else (None, None)
        yield Source(name, audio, metadata=metadata, start=start, end=end)


def _is_recording(row: dict[str, Any]) -> bool:
    return isinstance(row.get("sources"), list)


def _is_cut(row: dict[str, Any]) -> bool:
    return row.get("type") in ("MonoCut", "MultiCut", "MixedCut", "PaddingCut") or isinstance(
        row.get("recording"), dict
    )


def _is_supervision(row: dict[str, Any]) -> bool:
    return {"recording_id", "start", "duration"} <= row.keys()


def _audio(recording: dict[str, Any], where: str) -> str:
    sources = recording.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise InputError(f"{where} must have one file. Received: sources={sources!r}. Join its channels in one file.")
    kind, audio = sources[0].get("type"), sources[0].get("source")
    if kind == "command":
        raise InputError(
            f"{where} is a command, and audiopipe runs no commands. Received: {audio!r}. Write its output to a file."
        )
    if kind not in ("file", "url") or not audio or not isinstance(audio, str):
        raise InputError(f"{where} must be a file or a URL. Received: {kind!r} with {audio!r:.60}. Save it as a file.")
    transforms = recording.get("transforms") or []
    names = [item.get("name") if isinstance(item, dict) else item for item in transforms]
    if any(name not in HARMLESS_TRANSFORMS for name in names):
        raise InputError(
            f"{where} has transforms that lhotse applies when it reads the audio. Received: "
            f"{', '.join(map(str, names))}. Save the transformed audio, for example with `cuts.save_audios(...)`."
        )
    return audio


def _stretch(cut: dict[str, Any], recording: dict[str, Any], where: str) -> Stretch | None:
    start, duration = cut.get("start"), cut.get("duration")
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in (start, duration)):
        raise InputError(
            f"{where}: a cut must have numbers as start and duration. Received: start={start!r}, duration={duration!r}."
        )
    stretch = stretch_of(start, Decimal(repr(start)) + Decimal(repr(duration)), where)
    whole = recording.get("duration")
    if stretch.start == 0 and isinstance(whole, (int, float)) and abs(float(duration or 0) - whole) < UNCHANGED:
        return None
    return stretch


def _metadata(cut: dict[str, Any], recording: dict[str, Any], report: ScanReport) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "recording": str(recording.get("id")),
        "start": cut["start"],
        "duration": cut["duration"],
    }
    channels = recording.get("channel_ids") or recording["sources"][0].get("channels") or []
    if len(channels) > 1 and cut.get("channel") not in (None, channels):
        metadata["channel"] = cut["channel"]
        report.count("cut", "of one channel, which is in the column 'channel'. The config decides which are read")
    supervisions = [item for item in cut.get("supervisions") or [] if isinstance(item, dict)]
    custom = dict(cut.get("custom") or {})
    if len(supervisions) == 1:
        [only] = supervisions
        metadata |= {"supervision": only.get("id"), **{name: only.get(name) for name in SUPERVISION_FIELDS}}
        custom = {**(only.get("custom") or {}), **custom}
    if len(supervisions) > 1 or any(not _fits(item, cut) for item in supervisions):
        metadata["supervisions"] = json.dumps(supervisions, ensure_ascii=False)
        report.count("cut", "with several or detailed supervisions, which are in the column 'supervisions' as JSON")
    for name, value in custom.items():
        key = f"custom_{name}" if name in metadata or name == "id" else name
        metadata[key] = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    return metadata


def _fits(supervision: dict[str, Any], cut: dict[str, Any]) -> bool:
    """Returns whether a supervision is of the whole cut, and has no fields such as `alignment`."""
    whole = supervision.get("start") == 0 and supervision.get("duration") == cut["duration"]
    return whole and not supervision.keys() - {*SUPERVISION_FIELDS, *OTHER_SUPERVISION_FIELDS}

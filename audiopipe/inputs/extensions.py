"""Extensions of audio files, manifests and tables, and of files that look like audio or video but are not taken."""

from audiopipe.errors import InputError

# Formats with a header that libsndfile reads. Formats without a header (.raw, .vox) could be anything, and MATLAB's
# .mat files usually contain something else.
AUDIO_EXTENSIONS = (
    ".aif",
    ".aifc",
    ".aiff",
    ".amb",
    ".au",
    ".bwf",
    ".caf",
    ".flac",
    ".mp2",
    ".mp3",
    ".nist",
    ".oga",
    ".ogg",
    ".opus",
    ".rf64",
    ".snd",
    ".sph",
    ".voc",
    ".w64",
    ".wav",
    ".wave",
)

# Audio and video that people have in the folders of their recordings: the formats of ffmpeg's demuxers
# (https://ffmpeg.org/ffmpeg-formats.html), and those of libsndfile that AUDIO_EXTENSIONS does not have.
OTHER_EXTENSIONS = frozenset(
    """
    .3g2 .3ga .3gp .3gpp .3gpp2 .8svx .aa .aac .aax .aaxc .ac3 .ac4 .adpcm .adts .adx .al .alac .alaw .amr .amv
    .ape .asf .atrac .avi .avr .awb .bik .caff .cda .cdda .cvsd .dff .divx .ds2 .dsf .dss .dts .dtshd .dv .dvf
    .eac3 .ec3 .f32 .f4a .f4b .f4p .f4v .flv .g721 .g722 .g723 .g726 .g729 .gsm .gxf .hca .hcom .htk .iff .insv
    .ircam .it .kar .lpcm .m1a .m1v .m2a .m2t .m2ts .m2v .m4a .m4b .m4p .m4r .m4v .maud .mid .midi .mjpeg .mjpg
    .mk3d .mka .mkv .mlp .mod .mogg .mov .mp+ .mp1 .mp4 .mp4a .mp4v .mpa .mpc .mpe .mpeg .mpeg4 .mpg .mpga .mpp
    .mpv .msv .mts .mxf .nsv .ofr .ogm .ogv .ogx .oma .opx .paf .pcm .pvf .qcp .qt .ra .ram .raw .rm .rmi .rmvb
    .roq .s16 .s3m .sd2 .sds .sf .shn .sln .sndt .spx .svx .swf .tak .truehd .ts .tta .ul .ulaw .vob .vox .vqf .vro
    .wavpack .weba .webm .wma .wmv .wtv .wv .wve .xa .xm
    """.split()  # noqa: SIM905 (a list would have a line for each)
)
COMPRESSED = (".bz2", ".gz", ".xz", ".z", ".zip", ".zst")  # of a file of its own, as in `a.wav.gz`
MANIFEST_EXTENSIONS = (".csv", ".json", ".jsonl", ".tsv")
MANIFESTS = (*MANIFEST_EXTENSIONS, *(f"{extension}.gz" for extension in MANIFEST_EXTENSIONS), ".scp")
TABLE = ".parquet"
CONVERT = "Convert audio to a format that can be read, for example: ffmpeg -i clip.m4a clip.flac"
ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst")


def kind(path: str) -> str | None:
    """Returns what a file is by its extension: `"audio"`, `"manifest"`, `"table"`, or None for anything else."""
    if is_audio(path):
        return "audio"
    if path.lower().endswith(MANIFESTS):
        return "manifest"
    return "table" if path.lower().endswith(TABLE) else None


def is_audio(path: str) -> bool:
    """Returns whether a file is taken as audio, by its extension in upper or lower case."""
    return path.lower().endswith(AUDIO_EXTENSIONS)


def looks_like_audio(path: str) -> str | None:
    """Returns the extension of a file that looks like audio or video but is not taken, in lower case, or None.

    Example:
        >>> looks_like_audio("talks/Intro.M4A"), looks_like_audio("a.wav.gz"), looks_like_audio("notes.txt")
        ('.m4a', '.wav.gz', None)
    """
    name = path.rpartition("/")[2].lower()
    stem, extension = _split(name)
    if extension in OTHER_EXTENSIONS:
        return extension
    if extension in COMPRESSED:
        inner = _split(stem)[1]
        if inner in OTHER_EXTENSIONS or inner in AUDIO_EXTENSIONS:
            return inner + extension
    return None


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    return (stem, dot + extension) if stem else (name, "")


def missing(path: str) -> InputError:
    """Returns the error for an input that does not exist."""
    return InputError(f"There is no {path!r}. Expected a folder, a glob, a manifest or an audio file.")


def refusal(path: str) -> InputError:
    """Returns the error for a file that cannot be an input, with everything that can."""
    if looks_like_audio(path):
        how = f" {CONVERT}"
    else:
        how = " Unpack it, and pass the folder." if path.lower().endswith(ARCHIVES) else ""
    return InputError(
        f"{path!r} cannot be an input. Expected a folder or a glob; audio ({', '.join(AUDIO_EXTENSIONS)}); a manifest "
        f"({', '.join(MANIFEST_EXTENSIONS)}, each also with .gz, or Kaldi's wav.scp); Parquet ({TABLE}).{how}"
    )

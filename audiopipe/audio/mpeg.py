"""MPEG audio files (MP1, MP2, MP3): the frames that are there, and files that were joined.

These files have no container. Frames follow one another, and each begins with a header of four bytes that gives its
length. The first frame may announce the others instead of holding sound (Xing, Info or VBRI), and mpg123 stops after
as many frames as it announces. So each announcement begins a part of its own, and so does another rate or number of
channels. Frames that follow behind the announced ones are a part as well.

All frames are visited, in blocks. Bytes between frames that are no tags are left out, because mpg123 gives up behind
more than a few of them.
"""

import dataclasses

from audiopipe.audio import magic, tags
from audiopipe.audio.mpeg_frames import SYNC, Announcement, announcement, frame, place_of_announcement, sizes
from audiopipe.audio.opening import Opened
from audiopipe.audio.parts import Loss, Part
from audiopipe.wording import noun_of

BLOCK = 1 << 20
HEAD = 4096  # garbage before the first frame is at most this long
LARGEST_FRAME = 1 << 13
SURE = 3  # this many consecutive frames of one kind are no coincidence


@dataclasses.dataclass
class _Run:
    """Frames of one kind that are decoded together."""

    start: int
    kind: tuple[int, ...]
    samples: int
    rate: int
    announced: Announcement | None
    frames: int = 0  # without the one that announces
    pieces: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    losses: list[Loss] = dataclasses.field(default_factory=list)
    gaps: int = 0

    def is_full(self) -> bool:
        """Returns whether all announced frames are there."""
        return self.announced is not None and 0 < self.announced.frames <= self.frames

    def add(self, begin: int, end: int) -> None:
        """Adds the bytes of frames."""
        if self.pieces and self.pieces[-1][1] == begin:
            self.pieces[-1] = self.pieces[-1][0], end
        elif end > begin:
            self.pieces.append((begin, end))


def is_stream(file: Opened, position: int) -> bool:
    """Returns whether MPEG frames, perhaps behind an ID3 tag, begin at a position."""
    begin = tags.behind(file, position)
    return begin < file.size and _Scan(file, begin, file.size).is_sure(begin)


def parts(file: Opened, start: int) -> tuple[list[Part], int]:
    """Returns the parts from `start` on and the position behind the last frame. Without a frame there are none."""
    begin = tags.behind(file, start)
    if begin > file.size:
        missing = begin - file.size
        lacking = Loss(f"the file ends {missing} {noun_of(missing, 'byte')} before the end of its ID3 tag")
        return [Part(start, file.size, losses=(lacking,))], file.size
    scan = _Scan(file, begin, tags.before(file, begin, file.size))
    first = scan.first(begin + HEAD)
    if first is None:
        return [], start
    runs, end = scan.runs(first)
    whole = len(runs) == 1 and not runs[0].gaps and start == 0 and end == scan.end
    found = [_part(run, None if whole else tuple(run.pieces)) for run in runs]
    losses = found[0].losses
    if first > begin and file.at(begin, first - begin).strip(b"\0"):
        text = f"{first - begin} {noun_of(first - begin, 'byte')} before the first MPEG frame cannot be read"
        losses += (Loss(text, first - begin, found[0].end - first),)
    found[0] = dataclasses.replace(found[0], start=start, losses=losses)
    return found, file.size if end == scan.end else end


def _part(run: _Run, pieces: tuple[tuple[int, int], ...] | None) -> Part:
    losses, promised = list(run.losses), run.announced
    there = run.pieces[-1][1] - run.start
    lacking = promised is not None and promised.size > there
    if promised is not None and promised.frames > run.frames + (not lacking):  # encoders may count the first frame
        text = f"the frames are {run.frames} of the {promised.frames} that the first frame announces"
        losses = [Loss(text, promised.frames - run.frames, run.frames)]
    elif promised is not None and lacking and not promised.frames:
        text = f"the frames have {there} of the {promised.size} bytes that the first frame announces"
        losses = [Loss(text, promised.size - there, there)]
    frames = max(0, run.frames * run.samples - (promised.cut if promised else 0))
    return Part(run.start, run.pieces[-1][1], pieces, frames or None, run.rate, run.samples, tuple(losses))


def _belongs(run: _Run, before: _Run) -> bool:
    """Returns whether a run of one frame belongs to the one before, which counted the announcing frame."""
    adjacent = before.pieces[-1][1] == run.start and before.kind == run.kind
    return run.frames == 1 and run.announced is None and before.is_full() and adjacent


def _announces(data: bytes, offset: int) -> bool:
    return announcement(data[offset : offset + 200]) is not None


class _Scan:
    """Search for frames in a file, through a window that moves forwards."""

    def __init__(self, file: Opened, position: int, end: int):
        self.file = file
        self.end = end
        self.base = position
        self.data = file.at(position, min(BLOCK, end - position))

    def first(self, end: int) -> int | None:
        """Returns the position of the first frame before `end`, or None.

        A frame counts if another one of its kind follows, or if the file ends before the next header does.
        """
        for match in SYNC.finditer(self.data, 0, end - self.base):
            begin = match.start()
            found = frame(self.data[begin : begin + 4])
            follower = self.data[begin + found.size : begin + found.size + 4]
            if found.size and (len(follower) < 4 or frame(follower).kind[:3] == found.kind[:3]):
                return self.base + begin
        return None

    def runs(self, position: int) -> tuple[list[_Run], int]:
        """Returns the frames from `position` on, and the position behind the last one."""
        runs: list[_Run] = []
        while position < self.end:
            offset = self._offset(position)
            found = frame(self.data[offset : offset + 4])
            announced = announcement(self.data[offset : offset + 200]) if found.size else None
            if runs and found.kind == runs[-1].kind and announced is None and not runs[-1].is_full():
                run = runs[-1]
            else:
                run = _Run(position, found.kind, found.samples, found.rate, announced)
                runs.append(run)
            end = self._frames(run, position, announced is not None)
            if len(runs) > 1 and _belongs(run, runs[-2]):
                runs.pop()
                runs[-1].frames += 1
                runs[-1].add(position, end)
                run = runs[-1]
            following = self._next(run, end)
            if following is None:
                return runs, self._close(run, end)
            position = following
        return runs, position

    def is_sure(self, position: int) -> bool:
        """Returns whether frames follow one another at a position, or up to the end of the file."""
        if position >= self.end:
            return False
        offset = self._offset(position)
        found = frame(self.data[offset : offset + 4])
        kind, count = found.kind, 0
        while found.size and found.kind == kind:
            count, offset = count + 1, offset + found.size
            if count == SURE or self.base + offset == self.end:
                return True
            found = frame(self.data[offset : offset + 4])
        return False

    def _offset(self, position: int) -> int:
        """Returns the offset of a position in the window, moved so that it holds at least `SURE` frames behind it."""
        offset = position - self.base
        if not 0 <= offset <= len(self.data) - (SURE + 1) * LARGEST_FRAME and (
            offset < 0 or self.base + len(self.data) < self.end
        ):
            self.base, self.data, offset = position, self.file.at(position, min(BLOCK, self.end - position)), 0
        return offset

    def _frames(self, run: _Run, position: int, announces: bool) -> int:
        """Adds the frames from `position` on to a run, and returns the position behind them."""
        begin, kind = position, run.kind
        if announces:
            offset = self._offset(position)
            position = min(self.end, position + frame(self.data[offset : offset + 4]).size)
        known, place = sizes(kind), place_of_announcement(kind)
        limit = run.announced.frames if run.announced is not None and run.announced.frames else 1 << 62
        while run.frames < limit and position + 4 <= self.end:
            offset = self._offset(position)
            ends = self.base + len(self.data) == self.end
            last = len(self.data) - (4 if ends else LARGEST_FRAME)
            data = self.data + bytes(place)  # so that a letter can be looked for in every frame
            started, count = offset, run.frames
            for count in range(run.frames, limit):
                if offset > last:
                    break
                size = known[data[offset : offset + 4]]
                if not size:
                    break
                letter = data[offset + place]
                if (letter == 73 or letter == 88) and (count or announces) and _announces(data, offset):  # I or X
                    break
                offset += size
            else:
                count = limit
            run.frames = count
            position = self.base + offset
            if offset <= last or offset == started:
                break
        if position > self.end:  # the last frame is incomplete
            size, position = position, self.end
            run.frames -= 1
            last_begin = size - self._last_size(run, size)
            run.losses.append(Loss(f"the last frame has {position - last_begin} of {size - last_begin} bytes"))
        run.add(begin, position)
        return position

    def _last_size(self, run: _Run, end: int) -> int:
        """Returns the size of the frame that ends at `end`, which is beyond the end of the file."""
        for match in reversed(list(SYNC.finditer(self.data, max(0, len(self.data) - LARGEST_FRAME)))):
            found = frame(self.data[match.start() : match.start() + 4])
            if found.kind == run.kind and self.base + match.start() + found.size == end:
                return found.size
        return end - self.end

    def _next(self, run: _Run, end: int) -> int | None:
        """Returns the position of the next frame behind `end`, or None. Notes bytes in between that are no tags."""
        position = end
        while True:
            if self.is_sure(position):
                if position > end:
                    run.gaps += 1
                return position
            behind = tags.behind_all(self.file, position)
            if behind == position:
                break
            position = behind
        begin = position
        if position >= self.end or magic.is_container(self.file.at(position, 16)):
            return None
        while position < self.end:
            offset = self._offset(position)
            last = self.base + len(self.data) == self.end
            stop = len(self.data) - (0 if last else (SURE + 1) * LARGEST_FRAME)
            for match in SYNC.finditer(self.data, offset, max(stop, offset + 1)):
                place = self.base + match.start()
                if self.is_sure(place):
                    there = sum(stop - start for start, stop in run.pieces)
                    size = place - begin
                    text = f"{size} {noun_of(size, 'byte')} at byte {begin} cannot be read as MPEG frames"
                    run.losses.append(Loss(text, size, there))
                    run.gaps += 1
                    return place
            if last:
                return None
            position = self.base + max(stop, offset + 1)
        return None

    def _close(self, run: _Run, end: int) -> int:
        """Notes a header that is incomplete at the end of the file."""
        rest = self.file.at(end, min(5, self.end - end))
        if 0 < len(rest) < 4 and rest[:1] == b"\xff":
            run.losses.append(Loss("the header of the last frame is incomplete"))
            return self.end
        return end

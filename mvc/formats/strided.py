"""Files whose tensors are views of regions. Owns cutting holes, keeping what is left over, and checking checksums.

Refuses regions whose bytes do not have the checksum that the file gives for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence

from mvc.errors import FormatError
from mvc.formats.base import CheckpointFile, NamedTensor
from mvc.formats.names import make_unique
from mvc.formats.source import CHUNK, FileSource, printable
from mvc.formats.views import Region, View, row_major
from mvc.objects import Hole, TensorSpec

#: a stretch of literal bytes longer than this is kept as an object of its own, so that skeletons stay small
LITERAL_LIMIT = 64 * 1024


class RegionFile(CheckpointFile):
    """A file whose tensors are views of regions. Regions ascend and do not overlap."""

    def __init__(
        self, source: FileSource, regions: Sequence[Region], views: Sequence[tuple[NamedTensor, View]]
    ) -> None:
        super().__init__(source)
        self._regions = tuple(regions)
        self._views = tuple(view for _, view in views)
        self._verified: set[int] = set()
        for named, view in views:
            view.check(self._regions[view.region], named.name)
        holes = self._cut_tensors()
        viewed = {view.region for view in self._views}
        self._extra: list[tuple[int, int, int | None]] = []
        extra_holes = []
        for offset, length, region in self._gaps(holes):
            if length > LITERAL_LIMIT:
                extra_holes.append(Hole(offset, length, len(views) + len(self._extra)))
                self._extra.append((offset, length, region))
            elif region is not None and region not in viewed:
                self._verify(region)  # literal bytes are never read as a tensor, so this is their only check
        self.holes = tuple(sorted([*holes, *extra_holes], key=lambda hole: hole.offset))
        named_tensors = [named for named, _ in views]
        extra_names = make_unique(
            (f"storage@{offset}" for offset, _, _ in self._extra), (named.name for named in named_tensors)
        )
        extras = [
            NamedTensor(name, TensorSpec("U8", (length,)), "storage")
            for name, (_, length, _) in zip(extra_names, self._extra, strict=True)
        ]
        self.tensors = (*named_tensors, *extras)
        self.facts: Mapping[str, float] = {}

    def read(self, index: int) -> bytes | memoryview:
        if index >= len(self._views):
            offset, length, region = self._extra[index - len(self._views)]
            if region is not None:
                self._verify(region)
            return self._source.read(offset, length)
        view = self._views[index]
        if not view.spec.numel:
            return b""
        data = self._fetch(view.region, view.start, view.span)
        return row_major(view, data)

    def _cut_tensors(self) -> list[Hole]:
        """One hole for each densely lying tensor; of overlapping ones, the first and longest."""
        candidates = []
        for index, view in enumerate(self._views):
            region = self._regions[view.region]
            axes = view.axes
            swapped = view.big_endian and view.itemsize > 1
            if view.spec.numel and axes is not None and not swapped and region.inflated is None:
                order = None if axes == tuple(range(len(axes))) else axes
                candidates.append((region.offset + view.start, -view.spec.nbytes, index, order))
        holes = []
        end = 0
        for offset, negative, index, order in sorted(candidates, key=lambda candidate: candidate[:3]):
            if offset >= end:
                holes.append(Hole(offset, -negative, index, order))
                end = offset - negative
        return holes

    def _gaps(self, holes: Sequence[Hole]) -> Iterator[tuple[int, int, int | None]]:
        """Literal stretches as (offset, length, region), cut at the borders of regions."""
        cuts = [(hole.offset, hole.offset + hole.length) for hole in holes]
        at = 0
        which = 0
        for start, end in [*cuts, (self.size, self.size)]:
            while at < start:
                while which < len(self._regions) and self._end(which) <= at:
                    which += 1
                region = self._regions[which] if which < len(self._regions) else None
                if region is None or region.offset >= start:
                    stop, inside = start, None
                elif at < region.offset:
                    stop, inside = region.offset, None
                else:
                    stop, inside = min(start, self._end(which)), which
                yield at, stop - at, inside
                at = stop
            at = max(at, end)

    def _end(self, which: int) -> int:
        return self._regions[which].offset + self._regions[which].length

    def _fetch(self, which: int, start: int, length: int) -> bytes | memoryview:
        """Bytes of a region's content, verified. A region that is mostly wanted is read once, else twice."""
        region = self._regions[which]
        if region.inflated is not None:
            return memoryview(inflate(self._source, region))[start : start + length]
        if region.crc is not None and which not in self._verified:
            if 2 * length < region.length:
                self._verify(which)
            else:
                whole = self._source.read(region.offset, region.length)
                self._compare(which, zlib.crc32(whole))
                return whole if length == region.length else memoryview(whole)[start : start + length]
        return self._source.read(region.offset + start, length)

    def _verify(self, which: int) -> None:
        region = self._regions[which]
        if region.crc is None or which in self._verified:
            return
        if region.inflated is not None:
            inflate(self._source, region)
            self._verified.add(which)
            return
        crc = 0
        for piece in self._source.chunks(region.offset, region.length):
            crc = zlib.crc32(piece, crc)
        self._compare(which, crc)

    def _compare(self, which: int, crc: int) -> None:
        if crc != self._regions[which].crc:
            raise FormatError(
                f"{printable(self.path)} is damaged: the checksum at byte {self._regions[which].offset} is wrong",
                hint="fetch or save the file again",
                code="bad-checksum",
            )
        self._verified.add(which)


def inflate(source: FileSource, region: Region) -> bytearray:
    """Content of a deflated region. Raises FormatError unless it is exactly ``region.inflated`` bytes of that CRC."""
    damaged = FormatError(
        f"{printable(source.path)} is damaged: the compressed data at byte {region.offset} cannot be read",
        hint="fetch or save the file again",
        code="bad-checksum",
    )
    want = region.inflated or 0
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    result = bytearray()
    try:
        for piece in source.chunks(region.offset, region.length):
            pending: bytes | memoryview = piece
            while pending and not engine.eof:
                result += engine.decompress(pending, min(CHUNK, want + 1 - len(result)))
                pending = engine.unconsumed_tail
                if len(result) > want:
                    raise damaged
        # output held back by the cap on the last piece
        while not engine.eof and len(result) < want:
            more = engine.decompress(b"", min(CHUNK, want + 1 - len(result)))
            if not more:
                break
            result += more
    except zlib.error:
        raise damaged from None
    if len(result) != want or zlib.crc32(result) != region.crc:
        raise damaged
    return result

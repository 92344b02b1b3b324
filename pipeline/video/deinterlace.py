"""Interlaced frames hold two moments in alternate lines: each becomes one moment."""

from collections.abc import Iterator
from fractions import Fraction

import av
from av.filter import Graph
from av.video.frame import VideoFrame


def deinterlaced(frames: Iterator[VideoFrame], unit: Fraction) -> Iterator[VideoFrame]:
    """The frames, as many and at the same times; `unit` is what their `pts` count, in seconds.

    FFmpeg's yadif leaves progressive frames as they are. It needs a frame's neighbours, so all
    frames go through it from the first interlaced one on.
    """
    graph: Graph | None = None
    layout: tuple[int, int, str] | None = None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        before, layout = layout, (frame.width, frame.height, frame.format.name)
        if graph is None or layout != before:
            yield from _rest(graph, unit)
            graph = _yadif(frame, unit)
        frame.time_base = unit
        graph.vpush(frame)
        yield from _ready(graph, unit)
    yield from _rest(graph, unit)


def _yadif(frame: VideoFrame, unit: Fraction) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=unit
    )
    graph.link_nodes(source, graph.add("yadif", "deint=interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _ready(graph: Graph, unit: Fraction) -> Iterator[VideoFrame]:
    while True:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        if frame.pts is not None and frame.time_base:
            frame.pts = round(frame.pts * frame.time_base / unit)
        frame.time_base = unit
        yield frame


def _rest(graph: Graph | None, unit: Fraction) -> Iterator[VideoFrame]:
    if graph:
        graph.vpush(None)
        yield from _ready(graph, unit)

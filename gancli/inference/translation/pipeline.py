"""Decode images ahead and write results in the background, so that the network never waits."""

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PIL import Image

from gancli.errors import UserError
from gancli.images import roundtrip
from gancli.images.roundtrip import Loaded
from gancli.images.sheets import side_by_side
from gancli.inference.translation.jobs import Job, TranslationRequest
from gancli.system import atomic
from gancli.system.read_ahead import in_order
from gancli.system.untrusted.door import check_regular, reading, reason, why

AHEAD = 4  # images decoded ahead, or waiting to be written, while the network works


Draw = Callable[[Image.Image], Image.Image]


def pipeline(
    jobs: Sequence[Job], request: TranslationRequest, draw: Draw, about: dict[str, Any]
) -> Iterator[tuple[Job, str | None]]:
    """Translate the images of all jobs with decoding and writing in threads; yield each job's error, or None."""
    with ThreadPoolExecutor(2) as writers:
        behind: list[tuple[Job, Future[None]]] = []
        for job, loaded in zip(jobs, in_order(lambda job: _read(job, request.size), jobs, 2, AHEAD)):
            try:
                if isinstance(loaded, UserError):
                    raise loaded
                with reading(job.name):  # one image's failure must not stop the others: out of memory, too small, …
                    frames = [_framed(frame, draw, request) for frame in loaded.frames]
                behind.append((job, writers.submit(_write, job, loaded, frames, about)))
            except UserError as error:
                yield job, why(error).removeprefix(f"{job.name}: ")
            while len(behind) > AHEAD:
                yield _settled(*behind.pop(0))
        for job, future in behind:
            yield _settled(job, future)


def _settled(job: Job, future: "Future[None]") -> tuple[Job, str | None]:
    try:
        future.result()
    except OSError as error:
        return job, reason(error)
    return job, None


def _read(job: Job, size: str | None) -> Loaded | UserError:
    try:
        if job.source:
            check_regular(job.source)
        with reading(job.name):
            return roundtrip.load(job.source or _standard_input(), size)
    except UserError as error:
        return error


def _standard_input() -> io.BytesIO:
    content = sys.stdin.buffer.read()
    if not content:
        raise UserError("it is empty: send an image to it")
    return io.BytesIO(content)


def _framed(frame: Image.Image, draw: Draw, request: TranslationRequest) -> Image.Image:
    """Translate a frame and keep its alpha; put it beside its source if a comparison is wanted."""
    drawn = draw(frame)
    if "A" in frame.getbands() and "A" not in drawn.getbands():
        alpha = frame.getchannel("A")
        if drawn.size != frame.size:  # an enlarger enlarges it, as it does a grey image
            alpha = draw(Image.merge("RGB", [alpha] * 3)).convert("L")
        drawn = drawn.convert("RGB")
        drawn.putalpha(alpha)
    if not request.compare:
        return drawn
    frame = frame.resize(drawn.size, Image.Resampling.NEAREST)
    return side_by_side([frame.convert(drawn.mode), drawn], ("source", "translation"), request.view)


def _write(job: Job, loaded: Loaded, frames: list[Image.Image], about: dict[str, Any]) -> None:
    said = about | {"source": job.source.name if job.source else None}
    if job.out is None:
        roundtrip.save(frames, sys.stdout.buffer, ".png", loaded, said)
        sys.stdout.buffer.flush()
        return
    with atomic.replacing(job.out) as temporary:
        roundtrip.save(frames, temporary, job.out.suffix.lower(), loaded, said)

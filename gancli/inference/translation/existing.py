"""Tell which images have been translated before: those whose output file exists and names the same source."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from gancli.images.roundtrip import source_of
from gancli.inference.translation.jobs import Job


class Sorted(NamedTuple):
    """The jobs of a request by what is left to do."""

    open: list[Job]
    done: list[Job]
    taken: dict[str, str]  # by name of the image: why its translation has no place


def sort(jobs: Sequence[Job]) -> Sorted:
    """Sort jobs into those to do, those done before, and those whose files hold the translations of other sources."""
    found = Sorted([], [], {})
    planned = {job.out for job in jobs}
    for job in jobs:
        places = [job]
        if job.second is not None and job.second not in planned:
            places.append(dataclasses.replace(job, out=job.second))
        place = next((place for place in places if not _other_source(place)), None)
        if place is None:
            found.taken[job.name] = f"{job.out} is the translation of {_other_source(job)}: give another --out"
        elif place.out is not None and place.out.exists():
            found.done.append(place)
        else:
            found.open.append(place)
    return found


def _other_source(job: Job) -> str | None:
    """Return the source that an existing output file names, if it is another one than the job's."""
    named = source_of(job.out) if job.out is not None and job.out.is_file() else None
    return named if named != (job.source and job.source.name) else None

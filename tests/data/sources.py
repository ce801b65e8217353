"""What tests of data share: opening a source."""

from gancli.data.request import Request, Wanted
from gancli.data.sources.decode import Pictures
from gancli.data.sources.open import open_source


def opened(source: object, **wanted: object) -> Pictures:
    return open_source(Request(str(source), Wanted(**wanted)))  # type: ignore[arg-type]

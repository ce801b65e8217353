import hashlib
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gancli.system.digests import sha256_of


@given(st.binary(max_size=3000))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_the_sha256_of_all_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()

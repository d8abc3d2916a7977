"""Tars from anywhere: a header that lies is refused before anything is allocated for it."""

import tarfile
import tracemalloc

import pytest

from narrows.data.packs.reader import Pack
from narrows.errors import DataError


def test_a_tar_whose_header_asks_for_more_than_there_is_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1 << 40
    path.write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    tracemalloc.start()
    with pytest.raises(
        DataError, match=r"cannot be read as a tar|cut short or damaged|holds no images"
    ):
        Pack(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_tar_of_long_names_in_long_names_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    member = tarfile.TarInfo("././@LongLink")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 1
    path.write_bytes((member.tobuf(tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0")) * 2000)
    with pytest.raises(DataError, match="cannot be read as a tar"):
        Pack(path)

"""No name made of data leads out of a root."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_fsspec.paths import safe_join

_WIDE = "\N{FULLWIDTH FULL STOP}\N{FULLWIDTH FULL STOP}"
_LEADER = "\N{TWO DOT LEADER}"
_PARTS = st.sampled_from(["..", ".", "", "a", "%2e%2e", "%2E.", "%252e%252e", _WIDE, _LEADER, "..\\", "~", "ü"])


@pytest.mark.parametrize("root", ["/data/flows", "/data/flows/", "s3://bucket/flows", "memory://flows"])
def test_a_plain_name_is_joined(root: str) -> None:
    assert safe_join(root, "a/b.pkl") == f"{root.rstrip('/')}/a/b.pkl"


@pytest.mark.parametrize("root", ["/data/flows", "s3://bucket/flows"])
def test_an_address_inside_stays_as_it_is(root: str) -> None:
    assert safe_join(root, f"{root}/a/b.pkl") == f"{root}/a/b.pkl"


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../x", "a/../x", "a/../../x", "./x", "", "a/", "a//b"),
        *("/etc/passwd", "/data/flowsx/a", "/data/flows", "/data/flows/../x", "s3://other/x"),
        *("%2e%2e/x", "..%2fx", "%252e%252e%252fx", f"{_WIDE}/x", f"{_LEADER}/x", "..\\x", "a\0b"),
    ],
)
def test_a_name_that_leads_out_or_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="names nothing inside /data/flows"):
        safe_join("/data/flows", name)


@pytest.mark.parametrize("prefix", ["", "file://"])
def test_a_symbolic_link_does_not_lead_out(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/inside").mkdir()
    (tmp_path / "root/out").symlink_to(tmp_path)
    (tmp_path / "root/in").symlink_to(tmp_path / "root/inside")
    root = f"{prefix}{tmp_path}/root"
    assert safe_join(root, "in/x") == f"{root}/in/x"
    with pytest.raises(ValueError, match="symbolic link"):
        safe_join(root, "out/x")


def test_a_root_behind_a_symbolic_link_is_a_root(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    assert safe_join(f"{tmp_path}/root", "x") == f"{tmp_path}/root/x"


@given(st.lists(_PARTS, min_size=1, max_size=5).map("/".join))
def test_whatever_is_accepted_lies_inside(name: str) -> None:
    root = "/data/flows"
    try:
        address = safe_join(root, name)
    except ValueError:
        return
    assert Path(address).resolve().is_relative_to(root)
    assert address != root


@given(st.text(st.characters(categories=["L", "N", "S", "Zs"], exclude_characters="%"), min_size=1))
def test_a_name_of_one_ordinary_part_is_accepted(name: str) -> None:
    assert safe_join("s3://bucket", name) == f"s3://bucket/{name}"

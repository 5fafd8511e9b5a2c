"""Joining a root with names made of data, so that nothing outside the root is ever named."""

import os
import re
import unicodedata
from urllib.parse import unquote


def safe_join(root: str, name: str) -> str:
    """Return the address of *name* below *root*, a folder's absolute path or a URL.

    *name* is relative, or an address that already lies below *root*. Raises ValueError if it leads elsewhere,
    in whatever spelling (`..`, percent-encoded, look-alike characters, a symbolic link), or names no file.
    """
    root = root.rstrip("/")
    inner = name.removeprefix(f"{root}/")
    fault = _fault(inner)
    local = re.sub("^(file|local)://", "", root)
    if fault is None and "://" not in local and _leaves(local, inner):
        fault = "a symbolic link leads out of it"
    if fault is not None:
        raise ValueError(f"{name!r} names nothing inside {root or '/'}: {fault}")
    return f"{root}/{inner}"


def _fault(inner: str) -> str | None:
    """Return what is wrong with a relative name, or None."""
    if inner.startswith("/") or "://" in inner:
        return "it is an absolute address"
    if not all(part not in ("", ".", "..") for part in inner.split("/")):
        return "it has an empty part, `.` or `..`"
    plain = _plain(inner)
    if "\0" in plain or ".." in re.split(r"[/\\]", plain):
        return "decoded, it has `..` or a null character"
    return None


def _plain(text: str) -> str:
    """Return *text* with look-alikes and every layer of percent-encoding undone."""
    while (plain := unicodedata.normalize("NFKC", unquote(text))) != text:
        text = plain
    return text


def _leaves(root: str, inner: str) -> bool:
    real_root = os.path.realpath(root)
    return os.path.commonpath([real_root, os.path.realpath(f"{root}/{inner}")]) != real_root

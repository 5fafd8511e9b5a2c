"""Repositories as a test gives them: commits with files, branches and tags, and what git makes of them."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str


@dataclass(frozen=True)
class Submodule:
    """Another repository at a commit."""

    commit: str = "c0ffee" + "0" * 34


Content = bytes | Link | Submodule


def _hash(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()  # as git does


_MODES = {bytes: "100644", Link: "120000", Submodule: "160000"}


@dataclass(frozen=True)
class Node:
    """A line of a tree: `type` is git's (blob, tree, commit)."""

    path: str
    mode: str
    type: str
    id: str
    content: bytes = b""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


@dataclass
class Repository:
    """A repository, public unless there are tokens that may read it."""

    tokens: frozenset[str] = frozenset()
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, Content]] = field(default_factory=dict)
    default: str = "main"

    def push(self, files: Mapping[str, Content], branch: str | None = None) -> str:
        """Put a commit with these files on a branch, and return it."""
        made = _hash(f"{len(self.commits)} {sorted(files)}".encode())
        self.commits[made] = dict(files)
        self.branches[branch or self.default] = made
        return made

    def find(self, ref: str) -> str | None:
        """Return the commit of a branch, a tag, a commit or the beginning of one."""
        starts = [commit for commit in self.commits if len(ref) >= 7 and commit.startswith(ref)]
        return self.branches.get(ref) or self.tags.get(ref) or (starts[0] if starts else None)

    def nodes(self, commit: str) -> list[Node]:
        """Return all that is in a commit, folders included, in order."""
        files = self.commits[commit]
        folders = {path.rsplit("/", depth)[0] for path in files for depth in range(1, path.count("/") + 1)}
        trees = [Node(folder, "040000", "tree", self._tree_id(commit, folder)) for folder in folders]
        return sorted([*trees, *(_node(path, content) for path, content in files.items())], key=lambda node: node.path)

    def children(self, commit: str, folder: str) -> list[Node]:
        """Return what is directly in a folder of a commit."""
        return [node for node in self.nodes(commit) if node.path.rpartition("/")[0] == folder]

    def tree(self, name: str) -> tuple[str, str] | None:
        """Return the commit and folder of a commit's or a tree's id."""
        for commit in self.commits:
            if name == commit:
                return commit, ""
            for node in self.nodes(commit):
                if node.id == name and node.type == "tree":
                    return commit, node.path
        return None

    def blob(self, name: str) -> bytes | None:
        """Return the content with an id."""
        blobs = (node for commit in self.commits for node in self.nodes(commit) if node.type == "blob")
        return next((node.content for node in blobs if node.id == name), None)

    def archive(self, commit: str, prefix: str) -> bytes:
        """Return a commit as tar.gz, all below *prefix*."""
        entries = [tarfile.TarInfo(prefix)]
        entries[0].type = tarfile.DIRTYPE
        contents = [b""]
        for path, content in sorted(self.commits[commit].items()):
            entry = tarfile.TarInfo(f"{prefix}/{path}")
            if isinstance(content, bytes):
                entry.size = len(content)
            elif isinstance(content, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.target
            else:
                entry.type = tarfile.DIRTYPE
            entries.append(entry)
            contents.append(content if isinstance(content, bytes) else b"")
        return packed(zip(entries, contents, strict=True))

    @staticmethod
    def _tree_id(commit: str, folder: str) -> str:
        return _hash(f"{commit}:{folder}".encode())


def packed(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """Return a tar.gz of entries, whatever they are."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry, content in entries:
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _node(path: str, content: Content) -> Node:
    if isinstance(content, Submodule):
        return Node(path, _MODES[Submodule], "commit", content.commit)
    held = content if isinstance(content, bytes) else content.target.encode()
    return Node(path, _MODES[type(content)], "blob", _hash(b"blob %d\0" % len(held) + held), held)

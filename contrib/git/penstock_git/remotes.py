"""A repository somewhere else: which refs it has, and everything in it at a commit."""

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from penstock import errors, redaction
from penstock_git import commands
from penstock_git.commands import Done

_COMMIT: Final = re.compile("[0-9a-f]{40}")
_EVERYTHING: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_NOT_BY_ID: Final = re.compile("not our ref|unadvertised object")
# Each file as it is stored: neither what .gitattributes makes of it, nor what a configured filter does.
_ATTRIBUTES: Final = "* !crlf !eol !export-ignore !export-subst !filter !ident !text !working-tree-encoding\n"
_ANSWER: Final = r"""printf 'username=%s\npassword=%s\n' "$PENSTOCK_GIT_USER" "$PENSTOCK_GIT_WORD" """
_HELPER: Final = f'!f() {{ test "$1" != get || {_ANSWER}; }}; f'
_EMPTY: Final = re.compile(r"\s*$|@|Please make sure you have|and the repository exists")  # lines that say nothing
_SHOWN: Final = 300  # characters of git's own words


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are, and the name of the secret that says so."""

    username: str = field(repr=False)  # may be the token
    password: str = field(repr=False)
    secret: str


@dataclass(frozen=True, slots=True)
class Remote:
    """The repository at *url*, which is called *name* in messages; each command may take *timeout* seconds.

    Its methods raise FlowNotStoredError if it is not there, StorageUnreachableError.
    """

    url: str
    name: str
    credentials: Credentials | None = None
    timeout: float = 300

    def refs(self, *names: str) -> dict[str, str]:
        """Return the commits or tags that those of *names* stand for which are there."""
        done = self._checked("ls-remote", "--quiet", "--", self.url, *names)
        pairs = [line.split("\t", 1) for line in done.output.decode(errors="replace").splitlines() if "\t" in line]
        return {name: commit for commit, name in pairs if name in names}

    def archive(self, commit: str, depth: int) -> bytes:
        """Return the files at *commit* as a tar file.

        Only that commit is fetched where the remote gives it out by its id, else *depth* commits of each branch and
        tag, and if it is not among them, all. Raises FlowNotStoredError if it is in none of them.
        """
        if not _COMMIT.fullmatch(commit):
            raise errors.StorageError(f"{commit!r} is no commit of {self.name}: 40 hexadecimal digits are expected")
        with tempfile.TemporaryDirectory(prefix="penstock-git-") as folder:
            self._checked("init", "--quiet", "--bare", "--template=", folder)
            attributes = Path(folder, "info", "attributes")
            attributes.parent.mkdir()
            attributes.write_text(_ATTRIBUTES, encoding="utf-8")
            self._fetch(folder, commit, depth)
            return self._checked(f"--git-dir={folder}", "archive", "--format=tar", commit).output

    def _fetch(self, folder: str, commit: str, depth: int) -> None:
        fetch = (f"--git-dir={folder}", "fetch", "--quiet", "--no-tags", "--no-auto-maintenance")
        done = self._run(*fetch, "--depth=1", "--", self.url, commit)
        if done.code == 0:
            return
        if not _NOT_BY_ID.search(done.words):
            raise self._error(done)
        self._checked(*fetch, f"--depth={depth}", "--", self.url, *_EVERYTHING)
        if not self._has(folder, commit) and Path(folder, "shallow").exists():
            self._checked(*fetch, "--unshallow", "--", self.url, *_EVERYTHING)
        if not self._has(folder, commit):
            message = f"Commit {commit} is not in {self.name}: it was never pushed, or removed by a forced push"
            raise errors.FlowNotStoredError(f"{message}. Register the flow again")

    def _has(self, folder: str, commit: str) -> bool:
        return self._run(f"--git-dir={folder}", "cat-file", "-e", f"{commit}^{{commit}}").code == 0

    def _checked(self, *arguments: str) -> Done:
        done = self._run(*arguments)
        if done.code != 0:
            raise self._error(done)
        return done

    def _run(self, *arguments: str) -> Done:
        config, variables = dict[str, str](), dict[str, str]()
        if self.credentials is not None:
            place = urlsplit(self.url)
            config[f"credential.{place.scheme}://{place.netloc}.helper"] = _HELPER
            variables = {"PENSTOCK_GIT_USER": self.credentials.username, "PENSTOCK_GIT_WORD": self.credentials.password}
        try:
            return commands.run(*arguments, timeout=self.timeout, config=config, variables=variables)
        except TimeoutError as error:
            advice = 'check that it can be reached, or give it longer with the option "timeout"'
            raise errors.StorageUnreachableError(f"{self.name} does not answer: {error}; {advice}") from error

    def _error(self, done: Done) -> errors.StorageError:
        words = "; ".join(line.strip() for line in done.words.splitlines() if not _EMPTY.match(line))
        said = redaction.hidden(words.replace(self.url, self.name))[-_SHOWN:] or f"exit code {done.code}"
        access = f'what the secret "{self.credentials.secret}" holds' if self.credentials else "no token"
        for pattern, meaning in _MEANINGS.items():
            if re.search(pattern, done.words, re.IGNORECASE):
                kind = errors.FlowNotStoredError if meaning is _ABSENT else errors.StorageUnreachableError
                return kind(f"{meaning.format(name=self.name, access=access)} (git says: {said})")
        return errors.StorageUnreachableError(f"{self.name} cannot be read: {said}. Check that it can be reached")


_ABSENT: Final = (
    "There is no repository {name}, or it is hidden from us. Check its name, and what the token or key may read"
)
_MEANINGS: Final[dict[str, str]] = {
    "could not read (username|password)": (
        "{name} asks who reads it: it is private, or not there. Check its name, and name the secret that holds a "
        "token for it in the option git_token_secret_name"
    ),
    "authentication failed|returned error: 40[13]": (
        "{name} cannot be read with {access}: a token is wrong, has expired, or is not for this repository. Put a "
        "new one into the secret that the option git_token_secret_name names"
    ),
    r"permission denied \(": (
        "{name} accepts no ssh key of ours. Add one to the ssh configuration of the user that runs this, and to "
        "the repository's host"
    ),
    "host key verification failed": (
        "The host of {name} shows no key that is known here. Compare what ssh-keyscan prints with what the host's "
        "owner publishes, and add it to ~/.ssh/known_hosts"
    ),
    "cannot run ssh|ssh: not found": (
        "{name} is read over ssh, and there is no command ssh here. Install it, or use https"
    ),
    "dubious ownership": "{name} belongs to another user, whom git does not trust. Read it over ssh or https",
    "transport '.*' not allowed": "{name} is not read over https, http, ssh or from a disk",
    "not found|does not appear to be a git repository|does not exist": _ABSENT,
}

"""GitHub's REST API: repositories, commits, trees, blobs, and archives that another host gives out."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from forges.repositories import Node, Repository
from forges.server import Forge

_DOCUMENTATION = "https://docs.github.com/rest"


class GitHubForge(Forge):
    """A server like a GitHub Enterprise Server. Archives come from `codeload`, another one."""

    below = "/api/v3"

    def __init__(self, codeload: "Codeload | None" = None) -> None:
        super().__init__()
        self.codeload = codeload
        self.truncates = False

    def token_of(self, request: Request) -> str | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None

    def refuse(self, code: int) -> Response:
        words = {401: "Bad credentials", 404: "Not Found"}[code]
        return JSONResponse({"message": words, "documentation_url": _DOCUMENTATION, "status": str(code)}, code)

    def answer(self, request: Request, parts: list[str]) -> Response:  # noqa: PLR0911 - one for each endpoint
        if parts[0] != "repos" or (repository := self.readable("/".join(parts[1:3]), request)) is None:
            return self.refuse(404)
        match parts[3:]:
            case []:
                document = {"full_name": "/".join(parts[1:3]), "default_branch": repository.default}
                return JSONResponse({**document, "private": bool(repository.tokens)})
            case ["commits", ref]:
                return self._commit(repository, ref)
            case ["git", "trees", name]:
                return self._tree(repository, name, recursive=bool(request.query_params.get("recursive")))
            case ["git", "blobs", name]:
                blob = repository.blob(name)
                assert request.headers["accept"] == "application/vnd.github.raw+json"
                return self.refuse(404) if blob is None else Response(blob, media_type="application/vnd.github.raw")
            case ["tarball", ref]:
                return self._tarball(repository, parts[2], ref)
            case _:
                return self.refuse(404)

    def _commit(self, repository: Repository, ref: str) -> Response:
        if not repository.commits:
            return JSONResponse({"message": "Git Repository is empty."}, 409)
        found = repository.find(repository.default if ref == "HEAD" else ref)
        if found is None:
            return JSONResponse({"message": f"No commit found for SHA: {ref}"}, 422)
        return JSONResponse({"sha": found, "commit": {"message": "", "tree": {"sha": found}}, "parents": []})

    def _tree(self, repository: Repository, name: str, *, recursive: bool) -> Response:
        if (found := repository.tree(name)) is None:
            return self.refuse(404)
        commit, folder = found
        below = f"{folder}/" if folder else ""
        nodes = [node for node in repository.nodes(commit) if node.path.startswith(below)]
        if not recursive:
            nodes = repository.children(commit, folder)
        truncated = recursive and self.truncates
        lines = [_line(node, node.path.removeprefix(below)) for node in (nodes[:1] if truncated else nodes)]
        return JSONResponse({"sha": name, "tree": lines, "truncated": truncated})

    def _tarball(self, repository: Repository, name: str, ref: str) -> Response:
        if (commit := repository.find(ref)) is None:
            return self.refuse(404)
        if self.codeload is None:
            return Response(repository.archive(commit, f"{name}-{commit[:7]}"), media_type="application/x-gzip")
        self.codeload.archives[commit] = repository.archive(commit, f"{name}-{commit[:7]}")
        return RedirectResponse(f"{self.codeload.address}/{name}/legacy.tar.gz/{commit}?token=TEMPORARY", 302)


class Codeload(Forge):
    """Where GitHub's archives come from: a host that has no business with our token."""

    def __init__(self) -> None:
        super().__init__()
        self.archives: dict[str, bytes] = {}

    def token_of(self, request: Request) -> None:
        return None

    def refuse(self, code: int) -> Response:
        return Response("404: Not Found", code)

    def answer(self, request: Request, parts: list[str]) -> Response:
        if parts[-1] not in self.archives or request.query_params.get("token") != "TEMPORARY":
            return self.refuse(404)
        return Response(self.archives[parts[-1]], media_type="application/x-gzip")


def _line(node: Node, path: str) -> dict[str, str | int]:
    line: dict[str, str | int] = {"path": path, "mode": node.mode, "type": node.type, "sha": node.id}
    return {**line, "size": len(node.content)} if node.type == "blob" else line

"""GitLab's REST API, version 4: projects, commits, trees in pages, raw files and their sizes, archives."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from forges.repositories import Node, Repository
from forges.server import Forge

_WORDS = {401: "401 Unauthorized", 404: "404 Project Not Found"}


class GitLabForge(Forge):
    """A GitLab server. It believes to be at another address than it is, as servers behind proxies do."""

    below = "/api/v4"

    def token_of(self, request: Request) -> str | None:
        return request.headers.get("private-token")

    def refuse(self, code: int) -> Response:
        return JSONResponse({"message": _WORDS[code]}, code)

    def answer(self, request: Request, parts: list[str]) -> Response:  # noqa: PLR0911 - one for each endpoint
        if parts[0] != "projects" or (repository := self.readable(parts[1], request)) is None:
            return self.refuse(404)
        query = request.query_params
        match parts[2:]:
            case []:
                default = repository.default if repository.commits else None
                return JSONResponse({"path_with_namespace": parts[1], "default_branch": default})
            case ["repository", "commits", ref]:
                return _commit(repository.find(ref))
            case ["repository", "tree"]:
                return self._tree(repository, request, parts[1])
            case ["repository", "files", path, *rest]:
                return _file(request, repository.commits.get(query["ref"], {}).get(path), raw=rest == ["raw"])
            case ["repository", "archive.tar.gz"]:
                commit = repository.find(query["sha"])
                prefix = f"{parts[1].rpartition('/')[2]}-{commit}-{commit}"
                return Response(repository.archive(commit, prefix)) if commit else _missing("File")
            case _:
                return self.refuse(404)

    def _tree(self, repository: Repository, request: Request, name: str) -> Response:
        query = dict(request.query_params)
        commit = repository.find(query["ref"])
        nodes = repository.children(commit, query.get("path", "")) if commit else []
        if not nodes:
            return _missing("Tree")
        size, start = int(query.get("per_page", 20)), int(query.get("page_token", 0))
        headers = {}
        if start + size < len(nodes):
            following = urlencode({**query, "page_token": start + size})
            address = f"http://gitlab.internal/api/v4/projects/{name}/repository/tree?{following}"
            headers["link"] = f'<http://gitlab.internal/first>; rel="first", <{address}>; rel="next"'
        return JSONResponse([_line(node) for node in nodes[start : start + size]], headers=headers)


def _commit(commit: str | None) -> Response:
    return JSONResponse({"id": commit, "short_id": commit[:8]}) if commit else _missing("Commit")


def _missing(what: str) -> Response:
    return JSONResponse({"message": f"404 {what} Not Found"}, 404)


def _file(request: Request, held: Any, *, raw: bool) -> Response:
    if held is None:
        return _missing("File")
    body = held if isinstance(held, bytes) else held.target.encode()
    if request.method == "HEAD":
        return Response(headers={"x-gitlab-size": str(len(body))})
    assert raw
    return Response(body, media_type="text/plain")


def _line(node: Node) -> dict[str, str]:
    return {"id": node.id, "name": node.name, "type": node.type, "path": node.path, "mode": node.mode}

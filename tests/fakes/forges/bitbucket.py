"""Bitbucket's REST APIs: version 2.0 of the cloud with the web site that has the archives, and the server's."""

import binascii
from base64 import b64decode
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from forges.repositories import Node, Repository
from forges.server import Forge

_ATTRIBUTES = {"100644": [], "120000": ["link"], "160000": ["subrepository"]}


class _Bitbucket(Forge):
    def token_of(self, request: Request) -> str | None:
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return value or None
        try:
            return b64decode(value).decode()
        except binascii.Error:
            return ""


class BitbucketCloud(_Bitbucket):
    """Bitbucket Cloud. Its API and its web site are one server here."""

    def refuse(self, code: int) -> Response:
        words = {401: "Token is invalid, expired, or not supported for this endpoint.", 404: "Repository not found."}
        return JSONResponse({"type": "error", "error": {"message": words[code]}}, code)

    def answer(self, request: Request, parts: list[str]) -> Response:
        match parts:
            case ["2.0", "repositories", workspace, slug, *rest]:
                repository = self.readable(f"{workspace}/{slug}", request)
                return self._api(request, repository, rest) if repository else self.refuse(404)
            case [workspace, slug, "get", archive]:
                return self._archive(self.readable(f"{workspace}/{slug}", request), slug, archive)
            case ["login"]:
                return Response("<h1>Log in</h1>", media_type="text/html")
            case _:
                return self.refuse(404)

    def _api(self, request: Request, repository: Repository, parts: list[str]) -> Response:
        match parts:
            case []:
                main = {"type": "branch", "name": repository.default} if repository.commits else None
                return JSONResponse({"type": "repository", "full_name": "?", "mainbranch": main})
            case ["commit", ref]:
                return _found(repository.find(ref), lambda commit: {"type": "commit", "hash": commit})
            case ["refs", "branches" | "tags" as kind, name]:
                refs = repository.branches if kind == "branches" else repository.tags
                return _found(refs.get(name), lambda commit: {"name": name, "target": {"hash": commit}})
            case ["src", commit, *path] if commit in repository.commits:
                return self._source(request, repository, commit, "/".join(path).strip("/"))
            case _:
                return _missing()

    def _source(self, request: Request, repository: Repository, commit: str, path: str) -> Response:
        node = next((node for node in repository.nodes(commit) if node.path == path), None)
        if node is not None and node.type == "blob":
            return Response(node.content, media_type="text/plain")
        nodes = repository.children(commit, path)
        if not nodes:
            return _missing()
        query = dict(request.query_params)
        size, page = int(query.get("pagelen", 10)), int(query.get("page", 1))
        shown: dict[str, Any] = {"values": [_line(node) for node in nodes[(page - 1) * size : page * size]]}
        if page * size < len(nodes):
            shown["next"] = f"https://bitbucket.internal/?{urlencode({**query, 'page': page + 1})}"
        return JSONResponse({"pagelen": size, "page": page, **shown})

    def _archive(self, repository: Repository | None, slug: str, name: str) -> Response:
        commit = name.removesuffix(".tar.gz")
        if repository is None:
            return RedirectResponse("/login", 302)
        if commit not in repository.commits:
            return Response("Not found", 404)
        return Response(repository.archive(commit, f"workspace-{slug}-{commit[:12]}"), media_type="application/x-tar")


class BitbucketServer(_Bitbucket):
    """A Bitbucket Server."""

    below = "/rest/api/latest"

    def refuse(self, code: int) -> Response:
        words = {401: "Authentication failed. Please check your credentials.", 404: "Repository does not exist."}
        return _errors(words[code], code)

    def answer(self, request: Request, parts: list[str]) -> Response:
        match parts:
            case ["projects", project, "repos", slug, *rest]:
                if (held := self.repositories.get(f"{project}/{slug}")) is None:
                    return self.refuse(404)
                if (repository := self.readable(f"{project}/{slug}", request)) is None:
                    return _errors("You are not permitted to access this resource", 401)
                return self._api(request, held, repository, rest)
            case _:
                return self.refuse(404)

    def _api(  # noqa: PLR0911 - one for each endpoint
        self, request: Request, held: Repository, repository: Repository, parts: list[str]
    ) -> Response:
        query = request.query_params
        commit = repository.find(query.get("at") or query.get("until") or repository.default)
        match parts:
            case []:
                return JSONResponse({"slug": "?", "public": not held.tokens})
            case _ if commit is None:
                return _errors("Commit does not exist in repository.", 404)
            case ["commits"]:
                return JSONResponse({"values": [{"id": commit, "displayId": commit[:11]}], "isLastPage": True})
            case ["files"]:
                return _page(query, [node.path for node in repository.nodes(commit) if node.type == "blob"])
            case ["raw", *path]:
                found = [node for node in repository.nodes(commit) if node.path == "/".join(path)]
                return Response(found[0].content) if found else _errors("The path does not exist.", 404)
            case ["archive"] if query["format"] == "tgz":
                return Response(repository.archive(commit, query["prefix"].rstrip("/")))
            case _:
                return self.refuse(404)


def _page(query: Any, values: list[str]) -> Response:
    start, limit = int(query["start"]), int(query["limit"])
    last = start + limit >= len(values)
    shown = {"values": values[start : start + limit], "size": limit, "limit": limit, "isLastPage": last}
    return JSONResponse({**shown, "start": start, "nextPageStart": None if last else start + limit})


def _found(commit: str | None, show: Any) -> Response:
    return JSONResponse(show(commit)) if commit else _missing()


def _missing() -> Response:
    return JSONResponse({"type": "error", "error": {"message": "Commit not found"}}, 404)


def _errors(words: str, code: int) -> Response:
    return JSONResponse({"errors": [{"context": None, "message": words, "exceptionName": None}]}, code)


def _line(node: Node) -> dict[str, Any]:
    if node.type == "tree":
        return {"type": "commit_directory", "path": node.path, "attributes": []}
    return {"type": "commit_file", "path": node.path, "attributes": _ATTRIBUTES[node.mode], "size": len(node.content)}

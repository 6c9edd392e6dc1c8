"""A Django site without files of its own. Django has one configuration a process: this is the tests'."""

# Django is typed in part.
# pyright: reportUnknownVariableType=false, reportArgumentType=false

from collections.abc import Iterator

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse  # type: ignore[import-untyped]
from django.urls import include, path, re_path  # type: ignore[import-untyped]

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="test", LOGGING_CONFIG=None)
    django.setup(set_prefix=False)


def answer(_request: HttpRequest, **_parameters: object) -> HttpResponse:
    return HttpResponse("x")


def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("boom")


def stream(_request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingHttpResponse(chunks())


inner = [path("items/<int:item>/", answer), re_path(r"^old/(?P<year>[0-9]{4})/(\w+)\.html$", answer)]
in_sets = [re_path(r"^(?P<name>[^()]+)/edit$", answer), re_path(r"^(?P<name>[^()]+)/show$", answer)]
urlpatterns = [
    path("", answer),
    path("predict", answer),
    path("fail", fail),
    path("stream", stream),
    path("api/<slug:tenant>/", include(inner)),
    path("sets/", include(in_sets)),
]

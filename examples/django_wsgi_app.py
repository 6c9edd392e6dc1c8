"""Django over WSGI: gunicorn django_wsgi_app:app"""

import math
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from barograph_producer import BarographWSGIMiddleware, Producer

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY=os.environ.get("SECRET_KEY", "try"))
producer = Producer("ranker", prefix=os.environ.get("BAROGRAPH_PREFIX", "baro"))


@producer.track(model="length", version="1")
def predict(text: str) -> float:
    return 1 / (1 + math.exp(10 - len(text)))


def health(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok")


def answer(_request: HttpRequest, text: str) -> HttpResponse:
    score = predict(text)
    return JsonResponse(score, safe=False)


def stream(_request: HttpRequest, text: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter(text))


def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("an error event, shipped within milliseconds")


urlpatterns = [
    path("health", health),
    path("predict/<str:text>", answer),
    path("stream/<str:text>", stream),
    path("fail", fail),
]
app = BarographWSGIMiddleware(get_wsgi_application(), producer=producer, exclude=("/health",))

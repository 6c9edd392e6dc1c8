"""The ASGI and WSGI middleware, which record every request of a web application."""

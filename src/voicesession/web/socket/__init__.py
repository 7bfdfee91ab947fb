"""The WebSocket: no framework in here; `voicesession.web.starlette` and ``fastapi`` mount it."""

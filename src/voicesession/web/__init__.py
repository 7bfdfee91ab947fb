"""
The face on the network: HTTP and WebSocket, for FastAPI, for Starlette, or for neither.

`routes.ROUTES` is the table of everything HTTP can do; the adapters (`starlette`,
`fastapi`), the OpenAPI document and the tests are made from it. Nothing is imported here, so
that an application pays for the framework that it uses and no other.
"""

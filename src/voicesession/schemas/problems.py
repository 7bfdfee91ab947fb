"""How the server says no: RFC 9457, with a stable code."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from .parts import Told

__all__ = ("Problem",)


class Problem(Told):
    """What went wrong, for programs (``code``) and for people (``detail``)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:voicesession:problem:session_not_found",
                    "title": "There is no such session",
                    "status": 404,
                    "code": "session_not_found",
                    "detail": "there is no session sess_0192f0a1b2c37d4e8f90a1b2c3d4e5f6",
                    "retryable": False,
                }
            ]
        }
    )

    type: str
    title: str = Field(description="The same for each problem of the code.")
    status: int = Field(ge=400, le=599)
    code: str = Field(description="Stable: what a program decides by.")
    detail: str
    retryable: bool = Field(description="Whether the same call may succeed if it is made again.")
    field: str | None = Field(None, description="Which value is at fault, where one is.")

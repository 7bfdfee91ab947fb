"""What PostgreSQL and the way to it may answer, in our own words; theirs stand in ``__cause__``."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from asyncpg import InterfaceError, PostgresError, exceptions

from ....core.errors import StoreError, StoreTimeout, StoreUnavailable

__all__ = ("AGAIN", "DYING", "LOST", "Unanswered", "errors_named")

DYING: Final = (
    exceptions.AdminShutdownError,
    exceptions.CrashShutdownError,
    exceptions.InternalClientError,  # asyncpg, when it is asked before it has noticed
)
"""Nothing was written, and the connection is of no more use."""

AGAIN: Final = (
    *DYING,
    exceptions.DeadlockDetectedError,
    exceptions.SerializationError,
    exceptions.UniqueViolationError,
    exceptions.ForeignKeyViolationError,
)
"""Nothing was written. Run again from the start, a transaction sees who was first, or finds the
server back."""

LOST: Final = (
    exceptions.ConnectionDoesNotExistError,
    exceptions.ConnectionFailureError,
    InterfaceError,
    ConnectionError,
)
"""The connection is gone, without an answer to what was asked last."""


class Unanswered(Exception):
    """The connection was lost.

    Attributes:
        may_be_done: What was asked last may have been done all the same.
    """

    def __init__(self, *, may_be_done: bool) -> None:
        super().__init__(may_be_done)
        self.may_be_done = may_be_done


_PASSING: Final = (
    *LOST,
    *DYING,
    OSError,  # nobody listens, or there is no way there
    exceptions.PostgresConnectionError,
    exceptions.InsufficientResourcesError,  # a full disk, too many connections
    exceptions.OperatorInterventionError,  # a restart, a cancelled statement
    exceptions.LockNotAvailableError,
    exceptions.IdleInTransactionSessionTimeoutError,
    exceptions.ReadOnlySQLTransactionError,  # the server has just become a standby
    exceptions.DeadlockDetectedError,
    exceptions.SerializationError,
    exceptions.PostgresIOError,
)


@contextmanager
def errors_named() -> Generator[None]:
    """Turn what the driver raises into our errors.

    Raises:
        StoreUnavailable: It may pass; nothing was written.
        StoreTimeout: There was no answer in time.
        StoreError: It will not pass by itself.
    """
    try:
        yield
    except Unanswered as error:
        kind = StoreTimeout if error.may_be_done else StoreUnavailable
        raise kind("the connection to the database was lost") from error.__cause__
    except TimeoutError as error:
        raise StoreTimeout("no answer from the database in time") from error
    except _PASSING as error:
        raise StoreUnavailable(f"the database refused: {_told(error)}") from error
    except PostgresError as error:
        raise StoreError(f"the database refused: {_told(error)}") from error


def _told(error: BaseException) -> str:
    # The details of an error may quote the values of a row; its first line does not.
    return str(error).partition("\n")[0] or type(error).__name__

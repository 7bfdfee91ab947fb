"""The JSON Schema that is kept in the docs is that of the models."""

import json
from pathlib import Path

from voicesession.schemas.messages import json_schema

FILE = Path(__file__).parents[2] / "docs" / "reference" / "messages.schema.json"


def test_the_schema_in_the_docs_is_that_of_the_messages() -> None:
    written = json.dumps(json_schema(), indent=2) + "\n"
    assert FILE.read_text() == written, "write json_schema() into it again"

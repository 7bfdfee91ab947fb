"""
Start a session in a LiveKit room, as your back end does when somebody presses "call".

    VOICESESSION_URL=http://127.0.0.1:8000 VOICESESSION_TOKEN=… python session_start.py

The token (or API key) needs the scopes write and admin: the second makes the template.
"""

import os
from typing import Any

import httpx2

URL = os.environ.get("VOICESESSION_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("VOICESESSION_TOKEN", "nobody")

VISIT = {
    "name": "Visit",
    "modality_profile": "audio+camera",
    "enabled_panels": ["notes", "map"],
    "language": "en",
    "audio_budget_minutes": 30,
    "agent_metadata": {"persona": "nurse"},
}


def call(client: httpx2.Client, method: str, path: str, body: object = None) -> dict[str, Any]:
    response = client.request(method, path, json=body)
    if response.is_error:
        problem = response.json()  # application/problem+json: its code is stable
        raise SystemExit(f"{method} {path}: {problem['code']}: {problem['detail']}")
    document: dict[str, Any] = response.json()
    return document


def main() -> None:
    with httpx2.Client(base_url=URL, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        template = call(client, "POST", "/v1/templates", VISIT)["template"]
        print("template:", template["name"])

        wanted = {"session_template_id": template["id"], "user_id": "ada"}
        started = call(client, "POST", "/v1/sessions/start", wanted)
        path = f"/v1/sessions/{started['session_id']}"
        # These four go to the front end, and nowhere else: the token opens the door.
        print("room:", started["room_name"])
        print("connect to:", started["livekit_url"])
        print("with a token of", len(started["access_token"]), "characters")
        print("until:", started["token_expiry"])

        fresh = call(client, "POST", f"{path}/token")
        print("or with a fresh one until:", fresh["token_expiry"])

        session = call(client, "GET", path)["session"]
        print("state:", session["state"], "language:", session["language"])
        session = call(client, "POST", f"{path}/end", {"reason": "cancelled"})["session"]
        print("state:", session["state"], session["status"])


if __name__ == "__main__":
    main()

#!/bin/sh
# Start a session in a LiveKit room, as your back end does when somebody presses "call".
#
#   VOICESESSION_URL=http://127.0.0.1:8000 VOICESESSION_TOKEN=… sh session_start.sh
#
# The token (or API key) needs the scopes write and admin: the second makes the template.
set -eu

url=${VOICESESSION_URL:-http://127.0.0.1:8000}

call() {  # METHOD PATH [BODY]
    curl --silent --show-error --fail-with-body --request "$1" "$url$2" \
        --header "Authorization: Bearer ${VOICESESSION_TOKEN:-nobody}" \
        --header "Content-Type: application/json" \
        ${3:+--data "$3"}
}

field() {  # NAME: the text of a field of the JSON on standard input
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

echo "# What sessions of this kind begin with; once."
template=$(call POST /v1/templates '{
    "name": "Visit",
    "modality_profile": "audio+camera",
    "enabled_panels": ["notes", "map"],
    "language": "en",
    "audio_budget_minutes": 30,
    "agent_metadata": {"persona": "nurse"}
}')
template_id=$(echo "$template" | field id)
echo "template: $template_id"

echo "# A session, its room, and a token for the caller."
started=$(call POST /v1/sessions/start "{\"session_template_id\": \"$template_id\", \"user_id\": \"ada\"}")
session_id=$(echo "$started" | field session_id)
echo "session: $session_id"
echo "room: $(echo "$started" | field room_name)"
echo "connect to: $(echo "$started" | field livekit_url)"
echo "until: $(echo "$started" | field token_expiry)"

echo "# Another token, before that one is no longer good."
fresh=$(call POST "/v1/sessions/$session_id/token")
echo "until: $(echo "$fresh" | field token_expiry)"

echo "# Where the session stands: it waits for its caller."
echo "state: $(call GET "/v1/sessions/$session_id" | field state)"

echo "# Nobody came."
echo "state: $(call POST "/v1/sessions/$session_id/end" '{"reason": "cancelled"}' | field state)"

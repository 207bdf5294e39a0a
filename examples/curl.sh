#!/usr/bin/env bash
# curl is a workman producer: list, run, schedule and unschedule.
set -euo pipefail

url=${WORKMAN_URL:-ws://localhost:9999}
url=http${url#ws}
ask() { curl --silent --show-error --fail-with-body --write-out '\n' "$@"; }

ask "$url/tasks"
ask "$url/task/add" --data '{"a": 2, "b": 3}'
ask "$url/task/echo" --json '"héllo"'

when=$(($(date --utc +%Y) + 1))-01-01T00:00:00Z
id=$(ask "$url/schedule/$when/echo" --data '{}' | sed 's/.*"id": *"\([^"]*\)".*/\1/')
ask --request DELETE "$url/scheduled/$id"

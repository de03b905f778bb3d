# SPDX-License-Identifier: MIT
"""The same handler for gunicorn, which has no sticky sessions: every answer says slot 0."""


def application(environment, start_response):
    body = b"slot=0\n"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

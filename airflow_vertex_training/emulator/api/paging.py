"""Page tokens: where a list goes on, and for which question."""

from __future__ import annotations

import base64
import json
import zlib

from airflow_vertex_training.emulator.api.errors import invalid_argument

__all__ = ["page_token", "parse_page_token"]


def page_token(after: int, question: str) -> str:
    """Return a token that is opaque to clients.

    Args:
        after: The sequence number of the last item that was shown.
        question: What was asked: parent, filter, order.
    """
    return base64.urlsafe_b64encode(json.dumps([after, zlib.crc32(question.encode())]).encode()).decode()


def parse_page_token(token: str, question: str) -> int | None:
    """Take a token apart.

    Args:
        token: From a request; empty for the first page.
        question: What is asked now.

    Returns:
        The sequence number; None for the first page.

    Raises:
        ApiError: INVALID_ARGUMENT: the token is none of ours, or belongs to another question.
    """
    if not token:
        return None
    try:
        after, checksum = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        after, checksum = None, None
    if not isinstance(after, int) or checksum != zlib.crc32(question.encode()):
        raise invalid_argument([("page_token", "The page token is invalid, or of another parent or filter.")])
    return after

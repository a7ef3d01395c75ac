"""nats-py's client, without the end that one message can put to it.

In nats-py 2.16 what cannot be decoded in a message ends the reading of the connection without a word: everybody's
answers are lost until its pings notice, seconds later.
"""

import logging

from nats.aio.client import Client

log = logging.getLogger(__name__)


class SturdyClient(Client):
    """Takes a message without the headers that it cannot read, and goes on after one that it cannot read at all."""

    async def _process_headers(self, headers: bytes) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (ValueError, IndexError):
            log.warning("nats headers cannot be read", extra={"bytes": len(headers)})
            return None

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except UnicodeDecodeError:
            log.warning("nats message dropped: its subjects cannot be read")

    def abort(self) -> None:
        """Give the connection up at once; what the server did not take yet is lost."""
        if writer := getattr(self._transport, "_io_writer", None):
            writer.transport.abort()

"""The reference gateway: OpenAI-compatible, over HTTP and NATS, and ready for production by its own checklist."""

from readiness.errors import MissingExtra

try:
    from readiness.gateway.app import PARTS, Gateway, build
    from readiness.gateway.server import serve
    from readiness.gateway.settings import Settings, load_settings
    from readiness.gateway.tables import Upstream
except ModuleNotFoundError as error:
    raise MissingExtra("gateway", "The gateway") from error

__all__ = ["PARTS", "Gateway", "Settings", "Upstream", "build", "load_settings", "serve"]

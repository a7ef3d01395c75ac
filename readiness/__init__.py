"""Audit AI gateways and async services for production readiness, from their code and from the outside."""

__version__ = "0.1.0"
HOME = "https://github.com/readiness-audit/readiness"

"""The logger of a file: what a fix writes to."""

from __future__ import annotations

import ast

from readiness.model import Edit
from readiness.scan.code.file import PythonFile
from readiness.scan.fix import importing

MAKERS = {"logging.getLogger", "structlog.get_logger", "structlog.getLogger", "structlog.stdlib.get_logger"}
LOGURU = "loguru.logger"
LOGGERS = {LOGURU, "logging.getLogger()", "structlog.get_logger()"}


def logger_of(file: PythonFile) -> tuple[str, list[Edit]]:
    """An expression for a logger at the end of a file's module, and the import that it needs."""
    for statement in file.tree.module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)):
                if file.names.origins(func) & MAKERS:
                    return name, []
            case ast.ImportFrom(names=aliases):
                for alias in aliases:
                    name = alias.asname or alias.name
                    if file.names.exported(name) & LOGGERS:
                        return name, []
    return "logging.getLogger(__name__)", importing(file, "import logging")


def telling(file: PythonFile, text: str, problem: str) -> tuple[str, list[Edit]]:
    """A statement that logs an exception at hand with its traceback, and the import that it needs."""
    log, imported = logger_of(file)
    if log.isidentifier() and LOGURU in file.names.exported(log):
        return f'{log}.opt(exception={problem}).error("{text}")', imported
    return f'{log}.error("{text}", exc_info={problem})', imported

"""The option that writes the expected logs anew."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-scenarios",
        action="store_true",
        default=False,
        help="write each expected.log anew; read the difference before committing it",
    )

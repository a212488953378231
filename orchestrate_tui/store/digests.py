"""SHA-256 without OpenSSL, which takes longer to load than most of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha256 import sha256
    except ImportError:  # later Pythons call it by another name
        from hashlib import sha256

__all__ = ["sha256"]

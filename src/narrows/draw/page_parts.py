"""What every page of Narrows is made of: its head and style, its policy, and data for its scripts.

A page is one self-contained HTML file that opens from disk, with no network. It asks its browser to
enforce that (https://www.w3.org/TR/CSP3): nothing is fetched from anywhere, and no script runs but
those that the page names by their SHA-256. So whatever a name or a title contains stays text.

    head.html    the head of a page; it includes page.css, and needs `title` and `policy`
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

PAGE_POLICY: dict[str, list[str]] = {
    "default-src": ["'none'"],
    "img-src": ["data:", "blob:"],  # made by the page itself
    "style-src": ["'unsafe-inline'"],
    "script-src": [],
    "base-uri": ["'none'"],
    "form-action": ["'none'"],
}


def page_policy(
    scripts: Sequence[str] = (), changes: Mapping[str, Sequence[str]] | None = None
) -> str:
    """The Content-Security-Policy of a page that runs just these scripts.

    changes: directives in place of the usual ones.
    """
    hashes = [script_hash(script) for script in scripts]
    allowed = {**PAGE_POLICY, "script-src": hashes, **(changes or {})}
    directives = [f"{name} {' '.join(sources)}" for name, sources in allowed.items() if sources]
    return "; ".join(directives)


def script_hash(script: str) -> str:
    """A script as a policy names it."""
    digest = sha256(script.encode()).digest()
    return f"'sha256-{b64encode(digest).decode()}'"


def as_data(value: Any) -> str:
    """A value as JSON that can be put between script tags: it holds no "<"."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def page_template(package: str, name: str) -> Any:
    """A template of a package, such as "narrows.study", which may include the parts of this one."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader

    loader = ChoiceLoader([PackageLoader(package, "."), PackageLoader("narrows.draw", ".")])
    pages = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return pages.get_template(name)

"""The images on which the platforms of tests run."""

from collections.abc import Mapping

from scripts.core.settings import Settings
from scripts.stack import image_names
from tests.e2e.support.checkout import Checkout


def in_use(checkout: Checkout | None = None) -> Mapping[str, str]:
    """The images of `checkout`, or of the project under test, by their variables."""
    settings = Settings.load(checkout.root) if checkout else Settings.load()
    return image_names.effective(settings)


def write_settings(checkout: Checkout, *lines: str) -> None:
    """Give a clone a `.env` that names the images of the project under test, and `lines`."""
    named = [f"{name}={image}" for name, image in in_use().items()]
    (checkout.root / ".env").write_text("\n".join([*named, *lines]) + "\n")

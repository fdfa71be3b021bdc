"""The platform on images that behave as the official ones, as far as they can be built here."""

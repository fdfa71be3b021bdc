{
    "name": "Files that are stored whole or not at all",
    "summary": "An upload that cannot be stored fails, and leaves no part of a file behind",
    "description": "Server-wide module.",
    "version": "1.0",
    "category": "Hidden",
    "author": "ipai-platform",
    "license": "LGPL-3",
    "depends": ["base"],
    # There is nothing to install: server_wide_modules loads it.
    "installable": False,
}

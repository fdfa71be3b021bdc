"""How the file of an attachment is written, for Odoo 18 and 19.

Odoo 18 logs that a file cannot be written, and commits the row without it. Both leave what
they have written so far: the same upload is then refused for good, as it "collides with an
existing file".
"""

import contextlib
import errno
import logging
import os
from pathlib import Path

from odoo import _
from odoo.addons.base.models.ir_attachment import IrAttachment
from odoo.exceptions import UserError

_logger = logging.getLogger(__name__)
_NEEDS_A_NAME = (errno.EOPNOTSUPP, errno.EISDIR)  # of file systems without O_TMPFILE


def install():
    """Put this in the place of Odoo's own, for all databases."""
    IrAttachment._file_write = _file_write


def _file_write(self, bin_value, checksum):
    """Store `bin_value` and return its name. Raises UserError where that is impossible."""
    try:
        fname, full_path = self._get_path(bin_value, checksum)
        path = Path(full_path)
        if not path.exists():
            # First, so that the file goes if this is where the transaction ends.
            self._mark_for_gc(fname)
            _write(path, bin_value)
    except OSError as error:
        _logger.error("an attachment cannot be stored: %s", error)
        raise UserError(_("The file cannot be stored: %s", error.strerror)) from error
    return fname


def _write(path, content):
    """Make the file `path`: nobody ever sees a part of it, whatever kills this process."""
    try:
        descriptor = os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o644)
    except OSError as error:
        if error.errno not in _NEEDS_A_NAME:
            raise
        _write_in_place(path, content)
        return
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        with contextlib.suppress(FileExistsError):  # somebody stored the same meanwhile
            # Only with a folder does Python follow the link; that of an absolute path is ignored.
            os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor)


def _write_in_place(path, content):
    try:
        path.write_bytes(content)
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise

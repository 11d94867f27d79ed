"""The launcher's log: one line per event, its name first, then fields; never a payload's env."""

import logging

log = logging.getLogger("placewright.launcher")

"""chatter.py LINES: logs so many lines of a kilobyte, faster than they can be sent from a journal that is too small for them."""

import logging
import sys

logging.basicConfig(level="INFO", stream=sys.stdout)
for number in range(int(sys.argv[1])):
    logging.getLogger("chatter").info("%04d %s", number, "x" * 1000)

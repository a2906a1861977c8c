"""python -m helpers.app"""

import sys

from helpers.app.server import main

if __name__ == "__main__":
    sys.exit(main())

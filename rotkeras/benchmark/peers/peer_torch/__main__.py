"""`python -m peer_torch '{…}'`."""

import json
import sys

from .measure import main

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

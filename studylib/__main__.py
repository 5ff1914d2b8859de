"""Run the command line: python -m studylib."""

import sys

from studylib.cli import main

if __name__ == "__main__":
    sys.exit(main())

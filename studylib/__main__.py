"""Run the command line: python -m studylib."""

import sys

from studylib.cli import main

sys.exit(main())

"""``python -m paft``: the command line."""

from paft.cli.main import main

if __name__ == "__main__":
    main()

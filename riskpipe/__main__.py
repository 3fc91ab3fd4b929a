"""`python -m riskpipe`."""

from riskpipe.cli.main import main

if __name__ == "__main__":
    main()

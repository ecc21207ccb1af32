"""`python -m polytui` and the `polytui` script."""

from polytui.cli import main

if __name__ == "__main__":
    main()

"""`python -m uml`, started by vagrant/lab."""

from uml.cli import main

if __name__ == "__main__":
    main()

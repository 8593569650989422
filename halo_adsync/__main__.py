"""`python -m halo_adsync`."""

from halo_adsync.cli import main

if __name__ == "__main__":
    main()

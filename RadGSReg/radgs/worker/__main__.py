"""``python -m radgs.worker``: serves requests from standard input."""

from radgs.worker.process import main

if __name__ == "__main__":
    main()

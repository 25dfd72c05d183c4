"""``python -m radgs.worker``: serves requests from standard input, or from callers at a socket (``--serve``)."""

import sys

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        from radgs.worker.warm_server import main as serve

        serve(sys.argv[2], float(sys.argv[3]))
    else:
        from radgs.worker.process import main

        main()

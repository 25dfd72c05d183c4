"""``python -m radgs``: the command line."""

from radgs.cli import app

if __name__ == "__main__":
    app(prog_name="radgs")
